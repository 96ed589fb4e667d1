"""`manage.py revisions`: what was published; show, compare, go back, carry elsewhere."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from flags import preview, publishing
from flags.document import diff, stored
from flags.document.sentences import sentences
from flags.document.stored import content
from flags.management import arguments, base
from flags.models import Revision
from flags.preview import Preview


class Command(base.ActionCommand):
    help = "What was published: list, show, compare, roll back, export and apply."
    actions: ClassVar = {
        "list": "the revisions, the newest first",
        "show": "one revision: what changed, by whom and why",
        "diff": "what differs between two revisions",
        "rollback": "make the tables say what a revision says, and publish that",
        "export": "write a revision's document to a file",
        "apply": "make the tables say what a file says, and publish that",
    }

    def add_list(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--limit", type=arguments.count, default=20, help="how many, 20 unless said"
        )

    def add_show(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", type=int)

    def add_diff(self, parser: ArgumentParser) -> None:
        parser.add_argument("before", type=int)
        parser.add_argument("after", type=int)

    def add_rollback(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", type=int)
        _add_dry_run(parser)
        base.add_yes(parser)
        base.add_comment(parser)

    def add_export(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", type=int, nargs="?", help="the newest unless said")
        parser.add_argument("file", type=Path)

    def add_apply(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        _add_dry_run(parser)
        base.add_yes(parser)
        base.add_comment(parser)

    def do_list(self, **options: Any) -> None:
        rows = list(Revision.objects.defer("text")[: options["limit"]])
        if options["json"]:
            self.print_json([base.revision_json(row) for row in rows])
        elif not rows:
            self.stdout.write("Nothing was published yet.")
        else:
            cells = [
                [str(row.number), _moment(row), row.author, row.comment, "; ".join(row.summary)]
                for row in rows
            ]
            self.print_table(("number", "published", "author", "comment", "changes"), cells)

    def do_show(self, **options: Any) -> None:
        row = stored.revision(options["number"])
        if options["json"]:
            self.print_json(
                {**base.revision_json(row), "document": content(row)},
            )
            return
        content(row)
        self.print_rows(
            [
                ("revision", str(row.number)),
                ("published", _moment(row)),
                ("author", row.author),
                ("comment", row.comment),
                ("checksum", row.checksum),
                *(("change", sentence) for sentence in row.summary),
            ]
        )

    def do_diff(self, **options: Any) -> None:
        before, after = (content(stored.revision(options[side])) for side in ("before", "after"))
        if options["json"]:
            self.print_json([change.to_json() for change in diff.diff(before, after)])
            return
        told = sentences(before, after)
        for sentence in told or ["Nothing differs."]:
            self.stdout.write(sentence)

    def do_rollback(self, **options: Any) -> None:
        number = options["number"]
        self._make(
            partial(publishing.roll_back, number), partial(preview.roll_back, number), **options
        )

    def do_export(self, **options: Any) -> None:
        number = options["number"]
        if number is None and options["file"].name.isdecimal():
            raise arguments.BadArguments(f"Into which file shall revision {options['file']} go?")
        row = Revision.objects.first() if number is None else stored.revision(number)
        if row is None:
            raise base.CommandRefused("Nothing was published yet.")
        content(row)
        try:
            options["file"].write_text(row.text, encoding="utf-8")
        except OSError as error:
            raise base.CommandRefused(f"{options['file']}: {error.strerror}.") from None
        if options["json"]:
            self.print_json({"number": row.number, "file": str(options["file"])})
        else:
            self.stdout.write(f"Revision {row.number} is in {options['file']}.")

    def do_apply(self, **options: Any) -> None:
        try:
            source = options["file"].read_bytes()
        except OSError as error:
            raise base.CommandRefused(f"{options['file']}: {error.strerror}.") from None
        self._make(partial(publishing.apply, source), partial(preview.apply, source), **options)

    def _make(
        self, make: Callable[..., Revision], foresee: Callable[[], Preview], **options: Any
    ) -> None:
        """Make a revision, or show what it would be."""
        if options["dry_run"]:
            self._foresee(foresee(), **options)
            return
        last, discarded = Revision.objects.first(), foresee().discarded
        done = self.operate(
            partial(make, author=base.user(), comment=options["comment"]), **options
        )
        if options["json"]:
            told = {"is_new": done != last, "is_dry_run": False}
            self.print_json({**base.revision_json(done), **told})
        else:
            self._print(done, last)
            for each in discarded:
                self.stdout.write(f"Discarded: {each}")

    def _foresee(self, foreseen: Preview, **options: Any) -> None:
        if foreseen.faults:
            raise base.CommandRefused("\n".join(foreseen.faults))
        if options["json"]:
            self.print_json(
                {
                    "summary": foreseen.sentences,
                    "discarded": [each._asdict() for each in foreseen.discarded],
                    "is_new": bool(foreseen.sentences),
                    "is_dry_run": True,
                }
            )
        elif not foreseen.sentences:
            self.stdout.write("Nothing would change: the tables say the same.")
        else:
            number = (stored.newest_number() or 0) + 1
            self.stdout.write(f"Nothing is changed yet. It would be:\nRevision {number}:")
            for sentence in foreseen.sentences:
                self.stdout.write(f"  {sentence}")
        for each in () if options["json"] else foreseen.discarded:
            self.stdout.write(f"It would discard: {each}")

    def _print(self, done: Revision, last: Revision | None) -> None:
        if done == last:
            self.stdout.write(f"Nothing is changed: revision {done.number} says the same.")
            return
        self.stdout.write(f"Revision {done.number}:")
        for sentence in done.summary:
            self.stdout.write(f"  {sentence}")


def _add_dry_run(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show what would change")


def _moment(row: Revision) -> str:
    return row.created_at.isoformat(sep=" ", timespec="seconds")
