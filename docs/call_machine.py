"""The call machine as a diagram and a table, generated from the rows themselves."""

from __future__ import annotations

from ivr.call.states import CallState
from ivr.call.table import TABLE, Row


def mermaid() -> str:
    """Return a Mermaid state diagram; rows between the same two states share an arrow."""
    arrows: dict[tuple[CallState, CallState], list[str]] = {}
    for row in TABLE:
        if row.next is None or row.next is CallState.ENDED:
            continue
        label = _words(row.event.__name__)
        labels = arrows.setdefault((row.state, row.next), [])
        if label not in labels:
            labels.append(label)
    lines = ["stateDiagram-v2", "    direction TB", "    [*] --> offered"]
    for (state, target), labels in arrows.items():
        lines.append(f"    {state.value} --> {target.value}: {', '.join(labels)}")
    ending = [state for state in CallState if any(_ends(row, state) for row in TABLE)]
    lines += [f"    {state.value} --> ended" for state in ending]
    lines.append("    ended --> [*]")
    return "\n".join(lines)


def markdown_table() -> str:
    """Return every row that does something as a Markdown table."""
    lines = ["| state | event | when | does | next |", "|---|---|---|---|---|"]
    order = list(CallState)
    rows = sorted(TABLE, key=lambda row: order.index(row.state))
    for row in rows:
        if row.next is None and row.do.__name__ == "nothing":
            continue
        conditions = [_first_line(row.when)] if row.when is not None else []
        conditions += [f"cheapest: {row.action.value}"] if row.action is not None else []
        when = ", ".join(conditions)
        does = "" if row.do.__name__ == "nothing" else _first_line(row.do)
        target = row.next.value if row.next is not None else "(stays)"
        event = _words(row.event.__name__)
        lines.append(f"| {row.state.value} | {event} | {when} | {does} | {target} |")
    return "\n".join(lines)


def _ends(row: Row, state: CallState) -> bool:
    return row.state is state and row.next is CallState.ENDED


def _words(name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()


def _first_line(function: object) -> str:
    return (function.__doc__ or "").strip().splitlines()[0].rstrip(".")
