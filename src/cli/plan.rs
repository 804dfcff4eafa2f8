//! `plan`: tells if one machine can rate a night, and what Spark would need for it.

use super::args::{PlanArgs, TextFormat};
use super::error::CliError;
use super::term;
use crate::inputs::file::{FileError, read_text};
use crate::partition::spill::Memory;
use crate::plan::{Figures, Plan, PlannedNight, Step, grouped, plan, seconds};
use serde_json::{Value, json};

/// Plans a night for this machine or the described one.
pub fn run(args: &PlanArgs) -> Result<(), CliError> {
    let here = || {
        std::thread::available_parallelism().ok().and_then(|cores| u64::try_from(cores.get()).ok())
    };
    let cores = args.cores.or_else(here);
    let memory = args.memory.or_else(Memory::all_of_machine);
    let (Some(cores), Some(memory)) = (cores, memory) else {
        return Err(CliError::usage(
            "this machine does not say what it has: give --cores and --memory",
        ));
    };
    let asked = PlannedNight {
        calls: args.calls_per_night,
        hours: args.hours,
        cores,
        memory_bytes: memory.bytes(),
    };
    let figures = match &args.figures {
        None => Figures::of_program(),
        Some(path) => Figures::parse(&read_text(path)?).map_err(|problem| {
            FileError::new(path, problem)
                .hint("`make bench` writes such a file: benches/figures.json")
        })?,
    };
    let plan = plan(&figures, asked);
    let text = match args.format {
        TextFormat::Text => as_text(&figures, asked, &plan),
        TextFormat::Json => serde_json::to_string_pretty(&as_json(&figures, asked, &plan))? + "\n",
    };
    Ok(term::print(&text)?)
}

fn as_text(figures: &Figures, asked: PlannedNight, plan: &Plan) -> String {
    let Figures { least_memory, disk, spark, .. } = figures;
    let PlannedNight { calls, hours, cores, memory_bytes } = asked;
    let measured = &plan.measured;
    let mut lines = vec![
        term::heading("asked"),
        format!("   {} calls a night, booked within {hours} h", grouped(calls.into())),
        format!(
            "   {cores} {}, {} MiB of memory",
            if cores == 1 { "core" } else { "cores" },
            grouped((memory_bytes >> 20).into())
        ),
        term::heading("measured"),
        format!(
            "   {} calls: {} CPU, {}, {} MiB; {}",
            grouped(measured.calls.into()),
            seconds(measured.cpu_ms.into()),
            seconds(measured.wall_ms.into()),
            grouped(measured.peak_mib.into()),
            measured.how
        ),
        format!("      {}", measured.source),
        format!(
            "   {} calls: below {} MiB, and {} B for each call more",
            grouped(least_memory.calls.into()),
            grouped(least_memory.mib.into()),
            least_memory.bytes_a_call
        ),
        format!("      {}", least_memory.source),
        format!(
            "   a call: {} B of ledger, {} B meanwhile",
            disk.ledger_bytes_a_call, disk.waiting_bytes_a_call
        ),
        format!("      {}", disk.source),
        format!(
            "   {} calls on Spark: {} CPU",
            grouped(spark.rows.into()),
            seconds(spark.cpu_ms.into())
        ),
        format!("      {}", spark.source),
        term::heading("one machine"),
    ];
    lines.extend(steps(&plan.machine));
    lines.push(term::heading("Spark"));
    lines.extend(steps(&plan.spark));
    lines.push(term::heading("answer"));
    if plan.too_much.is_empty() {
        lines.push(format!("   one machine does it, in {}", seconds(plan.time_ms)));
    } else {
        lines.extend(plan.too_much.iter().map(|why| format!("   not this machine: {why}")));
        if let Some(cores) = plan.spark_cores {
            let cores =
                if cores == 1 { "1 core".to_owned() } else { format!("{} cores", grouped(cores)) };
            lines.push(format!(
                "   Spark does it with {cores} or more, or several ledgers share the accounts"
            ));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn steps(steps: &[Step]) -> Vec<String> {
    let width = |of: fn(&Step) -> &str| {
        steps.iter().map(|step| of(step).chars().count()).max().unwrap_or_default()
    };
    let (names, formulas, results) =
        (width(|s| s.name), width(|s| &s.formula), width(|s| &s.result));
    let line = |Step { name, formula, result }: &Step| {
        format!("   {name:<names$}  {formula:<formulas$} = {result:>results$}")
    };
    steps.iter().map(line).collect()
}

/// The plan as JSON: integers in their smallest unit; those that may need more than 53 bits are
/// texts.
fn as_json(figures: &Figures, asked: PlannedNight, plan: &Plan) -> Value {
    let Figures { least_memory, disk, spark, .. } = figures;
    let steps = |steps: &[Step]| -> Vec<Value> {
        steps
            .iter()
            .map(|step| json!({"name": step.name, "formula": step.formula, "result": step.result}))
            .collect()
    };
    let measured = &plan.measured;
    json!({
        "asked": {
            "calls_per_night": asked.calls, "hours": asked.hours, "cores": asked.cores,
            "memory_bytes": asked.memory_bytes,
        },
        "measured": {
            "one_machine": {
                "calls": measured.calls, "cpu_ms": measured.cpu_ms, "wall_ms": measured.wall_ms,
                "peak_mib": measured.peak_mib, "how": measured.how, "source": measured.source,
            },
            "least_memory": {
                "calls": least_memory.calls, "mib": least_memory.mib,
                "bytes_a_call": least_memory.bytes_a_call,
                "source": least_memory.source,
            },
            "disk": {
                "ledger_bytes_a_call": disk.ledger_bytes_a_call,
                "waiting_bytes_a_call": disk.waiting_bytes_a_call,
                "source": disk.source,
            },
            "spark": {
                "rows": spark.rows, "cpu_ms": spark.cpu_ms, "start_ms": spark.start_ms,
                "cores_a_thread": spark.cores_a_thread, "source": spark.source,
            },
        },
        "one_machine": {
            "does_it": plan.too_much.is_empty(), "too_much": plan.too_much,
            "steps": steps(&plan.machine),
            "cpu_ms": plan.cpu_ms.to_string(), "time_ms": plan.time_ms.to_string(),
            "memory_mib": plan.memory_mib.to_string(),
            "ledger_bytes": plan.ledger_bytes.to_string(),
            "waiting_bytes": plan.waiting_bytes.to_string(),
        },
        "spark": {
            "cores": plan.spark_cores.map(|cores| cores.to_string()),
            "cores_as_fast": plan.spark_cores_as_fast.to_string(), "steps": steps(&plan.spark),
        },
    })
}
