"""A night of calls in a notebook: rated, added up by scenario, drawn. Run it at the top of the repository."""

import matplotlib.pyplot as plt
import pyarrow.parquet as pq

import trunkrate

night = trunkrate.rate(pq.read_table("fixtures/night/calls/annex.parquet"), "rates", "fixtures/night/trunks.json",
                       accounts="fixtures/night/accounts.csv")
print(f"{night.legs.num_rows} legs, {night.log.num_rows} calls in the log, {night.suspense.num_rows} in suspense")

spend = night.legs.group_by(["currency", "scenario"]).aggregate([("amount", "sum")]).sort_by("amount_sum").to_pylist()
print("\n".join(f"{row['scenario']:20} {row['amount_sum']:>14} {row['currency']}" for row in spend))

figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
bars = axes.barh([f"{row['scenario']} ({row['currency']})" for row in spend], [float(row["amount_sum"]) for row in spend])
axes.bar_label(bars, labels=[f"{row['amount_sum'].normalize():f}" for row in spend], padding=3)
axes.set(title="What the night's legs cost, by scenario", xlabel="amount")
figure.savefig("night.png", dpi=120)
