//! Out of everything: descriptors, space, the right to write, a place for the ledger. What cannot
//! be done is told, with the path, and the old state stays.

use super::bench::{Bench, Desk, FIRST_NIGHT, STEPS, Step, copy_folder};
use super::strace::{Ended, Fault, ended, run_with_fault};
use super::{Reference, State, assert_none, judge, points, recover};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The second run: it reads a ledger, and writes one.
const SECOND_RUN: &Step = &STEPS[1];

/// A command under a limit of the shell.
fn limited(command: &Command, limit: &str) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args());
    shell.current_dir(command.get_current_dir().expect("a folder"));
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// A failure names a path, so that one knows where to look.
fn names_a_path(ended: &Ended, desk: &Desk, inputs: &Path) -> Result<(), String> {
    let paths = [
        desk.ledger().display().to_string(),
        inputs.display().to_string(),
        "rates".to_owned(),
        ".csv".to_owned(),
    ];
    let named = ended.code == Some(0) || paths.iter().any(|path| ended.stderr.contains(path));
    if named || ended.code.is_none() || ended.code == Some(127) {
        Ok(())
    } else {
        Err("it names no path".to_owned())
    }
}

fn under_limits(limits: impl Iterator<Item = String>) {
    let bench = Bench::new();
    let reference = Reference::of(&bench, SECOND_RUN);
    let (mut broken, mut states) = (Vec::new(), Vec::new());
    for limit in limits {
        let desk = reference.before().copy();
        let ended = ended(&mut limited(&bench.command(SECOND_RUN.words, &desk), &limit));
        let judged = judge(&bench, &reference, &desk, &ended, true).and_then(|state| {
            recover(&bench, &reference, &desk, state)?;
            names_a_path(&ended, &desk, bench.inputs())?;
            states.push(state);
            Ok(())
        });
        broken.extend(
            judged.err().map(|broken| format!("ulimit {limit}: {broken}\n    {}", ended.shown())),
        );
    }
    assert_none(&broken);
    assert!(
        [State::Old, State::New].iter().all(|state| states.contains(state)),
        "some limits are too low, some are not"
    );
}

#[test]
fn without_descriptors_nothing_is_booked() {
    under_limits(
        [4, 5, 6, 7, 8, 10, 12, 16, 24, 32].into_iter().map(|count| format!("-n {count}")),
    );
}

/// The shell counts in halves of a kilobyte. With none at all nobody could say what is wrong:
/// stderr is a file here, too.
#[test]
fn with_files_that_may_not_grow_nothing_is_booked() {
    under_limits([1, 4, 8, 16, 32, 64, 128, 4096].into_iter().map(|size| format!("-f {size}")));
}

/// A small disk of its own, below the folder of a desk; given back at the end.
struct Disk {
    place: PathBuf,
}

impl Disk {
    /// None if this user may not mount, with the reason on stderr: the same faults are then
    /// injected only.
    fn mount(place: &Path) -> Option<Self> {
        std::fs::create_dir_all(place).expect("a folder is made");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "none"])
            .arg(place)
            .output();
        let why = match done {
            Ok(output) if output.status.success() => return Some(Self { place: place.to_owned() }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(e) => e.to_string(),
        };
        eprintln!("no small disk can be mounted, so none was filled: {why}");
        None
    }

    /// Fills it, but for some bytes.
    fn fill(&self, free: usize) -> PathBuf {
        let ballast = self.place.join("ballast");
        let blocks = (0..).take_while(|_| {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(&ballast);
            file.and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 4096])).is_ok()
        });
        let size = blocks.count() * 4096;
        let file = std::fs::OpenOptions::new().write(true).open(&ballast).expect("the ballast");
        file.set_len(size.saturating_sub(free) as u64).expect("the ballast is cut");
        ballast
    }

    fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        let status = Command::new("mount")
            .args(["-o", &options])
            .arg(&self.place)
            .status()
            .expect("mount is there");
        assert!(status.success(), "the disk is mounted {how}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

/// A ledger on a small disk. The disk stands last: so it is given back before the folder that it is
/// in.
fn on_a_small_disk(reference: &Reference) -> Option<(Desk, Disk)> {
    let desk = Desk::named("disk/ledger");
    let disk = Disk::mount(&desk.folder().join("disk"))?;
    copy_folder(&reference.before().ledger(), &desk.ledger());
    Some((desk, disk))
}

#[test]
fn a_full_disk_books_nothing_until_there_is_space() {
    let bench = Bench::new();
    let reference = Reference::of(&bench, SECOND_RUN);
    let mut broken = Vec::new();
    for free in [0, 1, 2, 3, 5, 8, 12, 16, 20, 24, 32, 48, 96].map(|blocks| blocks * 4096) {
        let Some((desk, disk)) = on_a_small_disk(&reference) else { return };
        let ballast = disk.fill(free);
        let ended = bench.run(SECOND_RUN.words, &desk);
        let judged = judge(&bench, &reference, &desk, &ended, true).and_then(|state| {
            names_a_path(&ended, &desk, bench.inputs())?;
            std::fs::remove_file(ballast).expect("the ballast is removed");
            recover(&bench, &reference, &desk, state)
        });
        broken.extend(
            judged
                .err()
                .map(|broken| format!("{free} bytes free: {broken}\n    {}", ended.shown())),
        );
    }
    assert_none(&broken);
}

/// A disk that cannot be written, as after an error of its own: nothing is booked, and everything
/// can be read.
#[test]
fn a_disk_that_is_read_only_is_read() {
    let bench = Bench::new();
    let reference = Reference::of(&bench, SECOND_RUN);
    let Some((desk, disk)) = on_a_small_disk(&reference) else { return };
    disk.remount("ro");
    let ended = bench.run(SECOND_RUN.words, &desk);
    assert!(
        ended.code == Some(1) && ended.stderr.contains(&*desk.ledger().to_string_lossy()),
        "{}",
        ended.shown()
    );
    assert_eq!(bench.outputs(&desk).as_ref(), Ok(reference.old()));
    bench.run(&["verify"], &desk).ok();
    disk.remount("rw");
    recover(&bench, &reference, &desk, State::Old).expect("the run is booked now");
}

/// The same where nobody may mount: the calls that would write fail, one at a time.
#[test]
fn a_ledger_that_may_not_be_written_is_left_as_it_is() {
    let bench = Bench::new();
    let reference = Reference::of(&bench, SECOND_RUN);
    let mut broken = Vec::new();
    let mut points = points(&bench, &reference);
    points.retain(|point| {
        point.syscall.starts_with("mkdir") || point.syscall.starts_with("rename") && point.nth == 1
    });
    assert!(!points.is_empty(), "something is made");
    for point in points {
        let desk = reference.before().copy();
        let (ended, _) = run_with_fault(
            &bench.command(SECOND_RUN.words, &desk),
            &point.at(&desk),
            Fault::Error("EROFS"),
        );
        let named =
            ended.code == Some(0) || ended.stderr.contains(&*desk.ledger().to_string_lossy());
        let judged = judge(&bench, &reference, &desk, &ended, true);
        if judged.is_err() || !named {
            broken.push(format!("{point:?}: {judged:?}: {}", ended.shown()));
        }
    }
    assert_none(&broken);
}

/// Where a ledger, or a part of it, cannot be: the ledger, what stands in the way, and whether that
/// is a file.
const IN_THE_WAY: [(&str, &str, bool); 8] = [
    ("ledger", "ledger", true),
    ("file/ledger", "file", true),
    ("file/new/ledger", "file", true),
    ("ledger", "ledger/runs", true),
    ("ledger", "ledger/archive", true),
    ("ledger", "ledger/staging", true),
    ("ledger", "ledger/staging/holder", false),
    ("ledger", "ledger/catalog.sqlite", false),
];

#[test]
fn a_ledger_where_none_can_be_is_refused_by_its_path() {
    let bench = Bench::new();
    let before = bench.after(&[FIRST_NIGHT]);
    let mut broken = Vec::new();
    for (ledger, place, is_file) in IN_THE_WAY {
        let desk = Desk::named(ledger);
        let place = desk.folder().join(place);
        if place != desk.ledger() && place.starts_with(desk.ledger()) {
            copy_folder(&before.ledger(), &desk.ledger());
            let _ = std::fs::remove_dir_all(&place).or_else(|_| std::fs::remove_file(&place));
        }
        if is_file {
            std::fs::write(&place, "no folder").expect("a file is written");
        } else {
            std::fs::create_dir_all(place.join("inside")).expect("a folder is made");
        }
        let there = desk.files(&["runs"]);
        let ended = bench.run(SECOND_RUN.words, &desk);
        let refused = matches!(ended.code, Some(1 | 2)) && !ended.stderr.contains("panicked");
        let named = ended.stderr.contains(&*place.to_string_lossy());
        // A part that can be made again may be made again.
        let mended = ended.code == Some(0)
            && ["staging", "holder", "catalog.sqlite"].iter().any(|name| place.ends_with(name));
        if !(mended || refused && named && desk.files(&["runs"]) == there) {
            broken.push(format!("{}: {}", place.display(), ended.shown()));
        }
    }
    assert_none(&broken);
}
