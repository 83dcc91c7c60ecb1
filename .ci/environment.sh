# Makes .venv for run_gan.sh, run_cgan.sh and run_tests.sh, which source this file: once.
#
# .venv/edgegan.stamp tells, a line each: where and by which Python the .venv was made, what was
# installed, and the checksum of setup.py and pyproject.toml, which said so. It is written last, so a
# set-up that was broken off is seen and done again. While a .venv is being made it says "making" and
# the process.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
venv="$root/.venv"
stamp="$venv/edgegan.stamp"

say() { printf '%s\n' "$1" >&2; }

fail() {
    say "error: $1"
    exit 2
}

# minor PYTHON: prints 11 for a Python 3.11, 0 where there is no Python 3 that starts.
minor() {
    "$1" -I -S -c 'import sys; print(sys.version_info[1])' 2>/dev/null || echo 0
}

# fits MINOR: is it a Python from 3.9 to 3.13?
fits() { [ "$1" -ge 9 ] && [ "$1" -le 13 ]; }

# find_python: prints the first Python that fits; python3 comes before others.
find_python() {
    local python
    for python in python3 python3.{13,12,11,10,9} \
        "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.*/bin/python3; do
        if fits "$(minor "$python")"; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}

# kind MINOR: prints what cannot change in a .venv's life: its place, its Python, its onnxruntime.
kind() {
    printf '%s, Python 3.%s, onnxruntime for %s\n' "$venv" "$1" "${EDGEGAN_ONNXRUNTIME:-cpu}"
}

# make_environment: a new .venv with pip in it.
make_environment() {
    local python found log
    if ! python="$(find_python)"; then
        found="$(minor python3)"
        if [ "$found" = 0 ]; then found="there is no python3"; else found="python3 is Python 3.$found"; fi
        fail "Python 3.9 to 3.13 is needed and $found: install, for example, Python 3.13 and its venv module"
    fi
    say "making $venv with Python 3.$(minor "$python")"
    # The stamp stays while the rest goes: what is half removed must not look like somebody's own.
    log="$({ mkdir -p "$venv" && printf 'making\n%s\n' "$$" >"$stamp" \
        && find "$venv" -mindepth 1 ! -name "${stamp##*/}" -delete; } 2>&1)" \
        || fail "cannot write $venv ($log)"
    # Debian's python3 comes without ensurepip; its pip can stand in.
    "$python" -m venv "$venv" >/dev/null 2>&1 \
        || { "$python" -m venv --without-pip "$venv" && "$python" -m pip --python "$venv/bin/python" \
            install -q --disable-pip-version-check pip; } >/dev/null 2>&1 \
        || fail "$python can make no virtual environment: install its venv module (on Debian and Ubuntu the package python3-venv)"
}

# pip_install WHAT...: into .venv; what pip says is kept.
pip_install() {
    (cd "$root" && "$venv/bin/python" -m pip install -q --disable-pip-version-check "$@") >>"$venv/pip.log" 2>&1 \
        || fail "pip could not install the packages; is there a network? Its own words are in $venv/pip.log"
}

# install TARGET: what setup.py lists for TARGET, "." or ".[extras]", into .venv.
install() {
    say "installing the packages (once, this takes a few minutes)"
    : >"$venv/pip.log"
    pip_install -e "$1"
    use_headless_opencv
    case "$1" in
        *train*)
            # The extra leaves it out where its metadata asks for a numpy that Python lacks.
            pip_install --no-deps mxnet==1.9.1
            lend_libraries
            ;;
    esac
}

# use_headless_opencv: where the system lacks what OpenCV's windows need, its build without windows.
use_headless_opencv() {
    local error version
    if error="$("$venv/bin/python" -I -c 'import cv2' 2>&1)"; then return; fi
    say "OpenCV cannot be loaded here (${error##*$'\n'}): taking opencv-python-headless, its build without windows, in its place"
    version="$("$venv/bin/python" -I -c 'import importlib.metadata as metadata; print(metadata.version("opencv-python"))')"
    # Both fill the same folder.
    "$venv/bin/python" -m pip uninstall -q -y opencv-python >>"$venv/pip.log" 2>&1
    pip_install --no-deps --force-reinstall "opencv-python-headless==$version"
    error="$("$venv/bin/python" -I -c 'import cv2' 2>&1)" || fail "OpenCV cannot be loaded (${error##*$'\n'})"
}

# loads LIBRARY: can .venv's Python load it?
loads() { "$venv/bin/python" -I -c "import ctypes; ctypes.CDLL('$1')" >/dev/null 2>&1; }

# lend_libraries: where the system lacks a library that mxnet's own needs, a wheel's copy is linked in.
lend_libraries() {
    local packages library copies
    packages="$("$venv/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("platlib"))')"
    if loads "$packages/mxnet/libmxnet.so"; then return; fi
    for library in libgomp.so.1 libquadmath.so.0; do
        if loads "$library"; then continue; fi
        # The other comes with numpy, SciPy or OpenCV.
        if [ "$library" = libgomp.so.1 ]; then pip_install --no-deps pykdtree; fi
        copies=("$packages"/*.libs/"${library%%.*}"-*.so*)
        [ -e "${copies[0]}" ] || fail "mxnet needs $library, which is not here: install it (on Debian and Ubuntu the packages libgomp1 and libquadmath0)"
        say "mxnet needs $library, which the system lacks: taking the copy in ${copies[0]#"$packages/"}"
        ln -sf "${copies[0]}" "$packages/mxnet/$library"
    done
}

# ensure_environment TARGET: .venv has a Python that fits and what TARGET needs.
ensure_environment() {
    local target="$1" made="" installed="" sum="" current python
    current="$(cat "$root/setup.py" "$root/pyproject.toml" | cksum)"
    if [ -e "$stamp" ]; then
        { read -r made && read -r installed && read -r sum; } <"$stamp" || true
        if [ "$made" = making ] && kill -0 "$installed" 2>/dev/null; then
            fail "$venv is being made by process $installed: wait for it, or remove $venv if that is none of these scripts"
        fi
    elif [ -e "$venv" ] && ! rmdir "$venv" 2>/dev/null; then
        fail "$venv is not of these scripts' making, and they would change it: move it away"
    fi
    python="$(minor "$venv/bin/python")"
    if [ "$made" != "$(kind "$python")" ] || ! fits "$python"; then
        make_environment
        python="$(minor "$venv/bin/python")"
    else
        # The training environment serves the runtime too.
        if [ "$target" = . ]; then target="${installed:-.}"; fi
        if [ "$installed" = "$target" ] && [ "$sum" = "$current" ]; then return; fi
        printf '%s\n' "$made" >"$stamp"
    fi
    install "$target"
    # Without the cascade grids are still drawn; who needs it is told again.
    "$venv/bin/python" -I -m edgegan.runtime.detector >&2 || true
    printf '%s\n' "$(kind "$python")" "$target" "$current" >"$stamp"
}
