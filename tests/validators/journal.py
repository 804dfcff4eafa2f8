"""Loads a beancount ledger with beancount itself.

usage: journal.py FILE

JSON: its errors, how many transactions it has, and the exact sums by the first two parts of an
account and currency.
Exit code 1 if there is an error.
"""

import json
import sys
from collections import defaultdict
from decimal import Decimal

from beancount import loader
from beancount.core.data import Transaction


def main(path):
    entries, errors, _ = loader.load_file(path)
    sums, count = defaultdict(Decimal), 0
    for entry in entries:
        if isinstance(entry, Transaction):
            count += 1
            for posting in entry.postings:
                sums[
                    ":".join(posting.account.split(":")[:2]) + " " + posting.units.currency
                ] += posting.units.number
    problems = [f"line {error.source.get('lineno')}: {error.message}" for error in errors]
    print(
        json.dumps(
            {
                "errors": problems,
                "transactions": count,
                "sums": {name: str(sum) for name, sum in sorted(sums.items())},
            }
        )
    )
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
