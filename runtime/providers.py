"""The command that says what models can run on here: edgegan providers."""

from __future__ import annotations

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.generator import Generator
from edgegan.runtime.models import shipped_models
from edgegan.runtime.session import available_providers
from edgegan.runtime.without_telemetry import onnxruntime


def main(argv: list[str] | None = None) -> int:
    """Try every shipped model on every provider that is here; returns 0."""
    parser = CommandParser(
        prog="edgegan providers",
        description="List the execution providers of the installed onnxruntime, what becomes of "
        "each shipped model on them, and what --provider auto chooses.",
    )
    parser.parse_args(argv)
    print(f"onnxruntime {onnxruntime.__version__}")
    for model in shipped_models():
        print(model)
        for provider in (*available_providers(), "auto"):
            print(f"  {provider:<10}{try_out(model, provider)}")
    return 0


def try_out(model: str, provider: str) -> str:
    """Draw an image; returns a line that says what that ran on, or why it could not."""
    try:
        generator = Generator.load(model, provider)
        generator.images(seed=0, count=1)
    except UserError as error:
        return str(error)
    return generator.provider_line


if __name__ == "__main__":
    run_command(main)
