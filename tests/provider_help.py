"""A stand-in for execution providers that are not here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import onnxruntime
import pytest
from onnxruntime import InferenceSession  # the true one, whatever takes its place

from edgegan.runtime.session import PROVIDERS


class FakeProvider:
    """An onnxruntime that has a provider, which runs on the CPU in truth, or fails.

    Attributes:
        options: what the provider was told, each time that a session was opened.
        runs: shape and address of the output, of each run of any session.
        threads: the threads that ran any session.
        pause: how long a run takes at least, in seconds, in which other threads get their turn.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        provider: str,
        error: Exception | None = None,
        refused: str = "",
    ) -> None:
        """Have a provider of PROVIDERS; with `error`, it fails where told `refused`, or always."""
        self.options: list[dict[str, str]] = []
        self.runs: list[tuple[list[int], int]] = []
        self.threads: set[int] = set()
        self.pause = 0.0
        name, cpu = PROVIDERS[provider].name, "CPUExecutionProvider"

        fake = self

        class Session(InferenceSession):
            """In no cycle with itself: what a forked child's garbage collector finds would hang."""

            run = None  # of which a captured graph would know nothing

            def get_providers(self) -> list[str]:
                return [name, cpu]

            def run_with_iobinding(self, binding: onnxruntime.IOBinding) -> None:
                fake._watched(super().run_with_iobinding, binding)

        def session(content: bytes, options: Any, providers: Sequence[Any], **_: Any) -> Any:
            on_cpu = InferenceSession(content, options, providers=[cpu])
            if providers == [cpu]:
                return on_cpu
            assert providers[0][0] == name
            self.options.append(providers[0][1])
            if error is not None and (not refused or refused in providers[0][1]):
                raise error
            return Session(content, options, providers=[cpu])

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [name, cpu])
        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        here = replace(PROVIDERS[provider], memory="cpu")  # no other is
        monkeypatch.setitem(PROVIDERS, provider, here)

    def _watched(self, run: Callable[..., Any], binding: onnxruntime.IOBinding) -> None:
        run(binding)
        time.sleep(self.pause)
        self.threads.add(threading.get_ident())
        (output,) = binding.get_outputs()
        self.runs.append((output.shape(), output.data_ptr()))
