"""What edgegan is made of, and what each way of using it needs.

    pip install .                            the edge: run a generator and grade its grids
    EDGEGAN_ONNXRUNTIME=gpu pip install .    the same on a CUDA GPU (or openvino: with OpenVINO)
    pip install '.[train]'                   and train and export, on the CPU (3.13: see below)
    pip install '.[train-gpu]'               or on a CUDA GPU (Linux; in a venv without `train`)
    pip install '.[test]'                    and the tools that run_tests.sh runs
    pip install '.[benchmark]'               and the peers that benchmarks/ measures

A range ends where versions were tried: the oldest on Python 3.9, the newest on 3.13. What does not
depend on the machine stands in pyproject.toml.
"""

import os

from setuptools import find_packages, setup

# onnxruntime, onnxruntime-gpu and onnxruntime-openvino fill the same folder, and an extra can only
# add a package, never take one away. So a variable, not an extra, puts one in another's place.
FLAVOURS = {
    "cpu": "onnxruntime>=1.19,<1.32",
    # From the first that fails without crashing where there is no driver (older ones segfault) to
    # the last for CUDA 12, which older drivers run too. For Python 3.10 and newer.
    "gpu": "onnxruntime-gpu[cuda,cudnn]>=1.23.2,<1.27",
    "openvino": "onnxruntime-openvino>=1.24,<1.25",  # tried on Python 3.11
}
flavour = os.environ.get("EDGEGAN_ONNXRUNTIME", "cpu")
if flavour not in FLAVOURS:
    raise SystemExit(f"EDGEGAN_ONNXRUNTIME is {flavour!r}; expected one of {', '.join(FLAVOURS)}")

RUNTIME = [
    FLAVOURS[flavour],
    "numpy>=1.23.5,<2.6",
    "opencv-python>=4.10,<5",  # OpenCV 5 has no CascadeClassifier in its main module
    "pillow>=10,<14",  # for animations, of which OpenCV 4.10 writes none
    "platformdirs>=4,<5",
    "simplejpeg>=1.9,<2",  # for libjpeg's warnings of damage, which no other decoder here gives
    "tqdm>=4.64,<5",
]

MATPLOTLIB = "matplotlib>=3.8,<3.11"  # 3.11 draws the graders' grid with other pixels

# What mxnet 1.9.1, the last release, still works with. Its metadata asks for numpy before 2; what
# newer ones lack stands in trainer/numpy_bridge.py.
TRAINING = [
    "gluoncv==0.10.5.post0",
    "opencv-python<4.12",  # newer ones want numpy 2
    "onnx>=1.18,<1.19",  # mxnet's exporter uses onnx.mapping
    "setuptools; python_version >= '3.12'",  # mxnet uses distutils, which Python has dropped
    "pyyaml>=6,<7",
    "pydantic>=2.13,<3",
    "scipy>=1.13,<1.19",
    "tensorboardX>=2.6.5,<3",
    "tensorboard>=2.21,<3",
    "jinja2>=3.1.6,<4",
    MATPLOTLIB,  # for the report's curves
]

# oneDNN 3.2, the package's last release: convolutions in bfloat16 on processors with matrix units,
# which mxnet's own oneDNN does not know.
ONEDNN = "onednn-cpu-gomp==2023.2.0; sys_platform == 'linux' and platform_machine == 'x86_64'"

# There is no numpy before 2 for newer Pythons. mxnet goes in by itself there, after the rest:
# pip install --no-deps mxnet==1.9.1
HAS_NUMPY_FOR_MXNET = "python_version < '3.13'"

# The CUDA 11 libraries that mxnet-cu112 is linked against; trainer.device loads them. They exist
# for Linux only, and the driver's own libcuda.so.1 must come from the system.
CUDA_11 = [
    "nvidia-cuda-runtime-cu11==11.8.89",
    "nvidia-nvtx-cu11==11.8.86",
    "nvidia-cublas-cu11==11.11.3.6",
    "nvidia-cufft-cu11==10.9.0.58",
    "nvidia-curand-cu11==10.3.0.86",
    "nvidia-cusparse-cu11==11.7.5.86",
    "nvidia-cusolver-cu11==11.4.1.48",
    "nvidia-cuda-nvrtc-cu11==11.8.89",
    "nvidia-nccl-cu11==2.21.5",
    "nvidia-cudnn-cu11==8.9.6.50",  # mxnet wants libcudnn.so.8
]


TEST = [
    "pytest>=8.4,<10",
    "pytest-xdist>=3.8,<4",
    "hypothesis>=6.141,<7",
    "html5lib>=1.1,<2",
    "playwright>=1.60,<2; python_version >= '3.10'",  # drives a Chromium that is there already
    "ruff>=0.17,<0.18",
    "mypy>=1.19,<3",
    "types-PyYAML>=6,<7",
    "types-tqdm>=4.64,<5",
    "setuptools>=77",  # to build what is installed
    MATPLOTLIB,  # the graders' grid to compare ours with
]

# Folders at the top whose import names are edgegan.FOLDER.
FOLDERS = ("trainer", "export", "runtime")
INCLUDED = [pattern for folder in FOLDERS for pattern in (folder, f"{folder}.*")]

setup(
    packages=["edgegan", *(f"edgegan.{package}" for package in find_packages(include=INCLUDED))],
    package_dir={f"edgegan.{folder}": folder for folder in FOLDERS},
    package_data={
        "edgegan": ["py.typed"],
        "edgegan.trainer": ["student.yaml", "recipes/*.yaml"],
        "edgegan.trainer.eyes": ["*.onnx"],
        "edgegan.trainer.report": ["page.html"],
        "edgegan.runtime": ["colour_classifier.onnx", "models/*"],
        "edgegan.runtime.page": ["*.html", "*.css", "*.js", "*.json", "modules/*.js"],
    },
    install_requires=RUNTIME,
    extras_require={
        "train": [f"mxnet==1.9.1; {HAS_NUMPY_FOR_MXNET}", ONEDNN, *TRAINING],
        "train-gpu": [f"mxnet-cu112==1.9.1; {HAS_NUMPY_FOR_MXNET}", *CUDA_11, *TRAINING],
        "test": TEST,
        "benchmark": ["torch>=2.13,<2.14", "openvino>=2026.4,<2027", MATPLOTLIB],
    },
)
