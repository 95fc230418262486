"""Tables as one text, of which only what has changed is encoded and decoded anew."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from taskkit.simple.tables import Tables
from taskkit.simple.text import from_text, to_text

_BY_LINE: Final = frozenset({"tasks", "ended", "changed"})
_IN_HEAD: Final = tuple(each.name for each in fields(Tables) if each.name not in _BY_LINE)


class Document:
    """Tables, and the text that stands for them: a line of what is small, and one for each task.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self.tables = Tables()
        self._lines: dict[str, str] = {}

    def text(self) -> str:
        """Return the text of the tables as they are now."""
        tables = self.tables
        for task_id in tables.changed:
            self._lines.pop(task_id, None)
            both = tables.tasks.get(task_id), tables.ended.get(task_id)
            if both != (None, None):
                self._lines[task_id] = to_text([task_id, *both])
        tables.changed.clear()
        head = to_text({name: getattr(tables, name) for name in _IN_HEAD})
        return "\n".join([head, *self._lines.values()])

    def read(self, text: str) -> None:
        """Make the tables what a text says. What was changed and never became a text is undone."""
        for task_id in self.tables.changed:
            self._lines[task_id] = ""  # no line is: it is read again, or removed
        head, *lines = text.split("\n") if text else [to_text({})]
        there, known = set(lines), set(self._lines.values())
        for task_id in [name for name, line in self._lines.items() if line not in there]:
            self.tables.remove(task_id)
            del self._lines[task_id]
        for line in [each for each in lines if each not in known]:
            task_id, record, ended = from_text(line)
            self._lines[task_id] = line
            for table, value in ((self.tables.tasks, record), (self.tables.ended, ended)):
                table.update({} if value is None else {task_id: value})
        rest = Tables(**from_text(head))
        for name in _IN_HEAD:
            setattr(self.tables, name, getattr(rest, name))
        self.tables.changed.clear()
