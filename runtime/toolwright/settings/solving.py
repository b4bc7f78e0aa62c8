"""Settings of solving: how a question is answered once its tool is known."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolwright.settings.section import Section


class SolvingSettings(Section):
    """How a question is answered once its tool is known."""

    max_calls: Annotated[int, Field(ge=1, le=8)] = 1
    """Calls of the tool that the light model may make for one question, each after it has seen what the last returned:
    1 to 8. The answer is what the tool returned last. Tools are verified with one call, whatever this is."""
