"""A night of calls in a notebook: rated, added up by scenario, drawn. Run it at the top of the repository."""

import matplotlib.pyplot as plt
import pyarrow as pa
import pyarrow.parquet as pq

import trunkrate

files = "fixtures/night/calls/harbor.csv", "fixtures/night/calls/annex.parquet"
calls = pa.Table.from_batches([*trunkrate.read_csv(open(files[0], "rb").read(), files[0]),
                               *map(trunkrate.records, pq.read_table(files[1]).to_batches())])
night = trunkrate.rate(calls, "rates", "fixtures/night/trunks.json", accounts="fixtures/night/accounts.csv")
print(f"{night.legs.num_rows} legs, {night.log.num_rows} calls in the log, {night.suspense.num_rows} in suspense")

spend = night.legs.group_by(["currency", "scenario"]).aggregate([("amount", "sum")]).sort_by("amount_sum").to_pylist()
print("\n".join(f"{row['scenario']:20} {row['amount_sum']:>14} {row['currency']}" for row in spend))

figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
bars = axes.barh([row["scenario"] for row in spend], [float(row["amount_sum"]) for row in spend])
axes.bar_label(bars, labels=[f"{row['amount_sum'].normalize():f} {row['currency']}" for row in spend], padding=4)
axes.set(title="What the night's legs cost, by scenario", xticks=[], frame_on=False, xmargin=0.2)
figure.savefig("night.png", dpi=120)
