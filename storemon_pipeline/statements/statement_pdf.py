"""A statement as PDF, set by Typst; texts are data there, never markup."""

import json
from dataclasses import asdict
from typing import Final

from storemon_pipeline.statements.revision import Revision
from storemon_pipeline.statements.statement import Statement
from storemon_pipeline.statements.statement_text import statement_text

_DOCUMENT: Final = """
#let it = json(bytes(sys.inputs.statement))
#set document(title: it.title, date: none)
#set page(
  paper: "a4", flipped: true, margin: 1.5cm,
  footer: context align(right, text(8pt, counter(page).display("1 / 1", both: true))),
)
#set text(9pt)
#set table(stroke: (bottom: 0.4pt + gray), inset: (x: 3pt, y: 3pt))
#show heading: set block(above: 1.2em, below: 0.6em)
= #it.title
#let pairs(rows) = table(
  columns: (auto, 1fr),
  ..rows.map(((label, value)) => (text(fill: luma(90), label), [#value])).flatten()
)
#grid(columns: (1fr, 1fr), gutter: 1cm, pairs(it.facts), pairs(it.totals))
#for part in it.tables {
  heading(level: 2, part.title)
  if part.note != "" { par(part.note) }
  if part.rows.len() > 0 {
    set text(8pt)
    table(
      columns: part.headings.len() * (auto,),
      table.header(..part.headings.map(cell => strong(cell))),
      ..part.rows.flatten().map(cell => [#cell]),
      ..if part.total != none { part.total.map(cell => strong(cell)) },
    )
  }
}
"""


def statement_pdf(statement: Statement, revision: Revision | None = None) -> bytes:
    """The statement on A4 pages; equal statements give equal bytes."""
    # Takes 30 MB of memory, so only where a PDF is made.
    import typst  # noqa: PLC0415

    text = json.dumps(asdict(statement_text(statement, revision)))
    document: bytes = typst.compile(
        _DOCUMENT.encode(), sys_inputs={"statement": text}, format="pdf", timestamp=0
    )
    return document
