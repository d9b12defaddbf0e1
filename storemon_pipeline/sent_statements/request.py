"""What identifies a statement: its stores, period and objective. Pure computation."""

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal

from storemon_pipeline.statements.statement import Scope


@dataclass(frozen=True, slots=True)
class StatementRequest:
    """A statement to make. `only` are the stores of the key that asks; None means every store."""

    scope: Scope
    period: str
    objective_percent: Decimal | None = None
    only: AbstractSet[str] | None = None

    @property
    def subject(self) -> str:
        """A text that is the same for all revisions of one statement."""
        objective = self.objective_percent
        return json.dumps(
            {
                "store_id": self.scope.store_id,
                "group": self.scope.group,
                "region": self.scope.region,
                "period": self.period,
                "objective": None if objective is None else f"{objective.normalize():f}",
                "only": None if self.only is None else sorted(self.only),
            },
            ensure_ascii=False,
        )
