//! Loss of power, replayed: what a step does to its folder is recorded, call by call with its data
//! (`recorder.c`), and of each prefix those disks are made that a loss of power may leave. On each
//! the ledger must be in the old state or the new one, be proved, and come to the same bytes by the
//! next command. What a command has reported done must be there.
//!
//! ```text
//! calls of a step ──▶ [Op] ──▶ for each prefix: what is synced, and some of what is not ──▶ disks, each once ──▶ judge, recover
//! ```
//!
//! **What survives:** a file's bytes as of its last sync, and a folder's names as of the folder's.
//! Of what was not synced any part may be there: nothing, all, names without bytes, bytes without
//! names, zeros for bytes, half of a write, or a choice in another order (by a seed). A rename is
//! there or not, never half.

use super::bench::{Bench, Desk, EMPTY_NIGHT, LARGE_NIGHT, STEPS, Step, Tree, large_night};
use super::strace::{Ended, ended};
use super::{Reference, State, assert_none, judge, on_two_threads, recover};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A file or a folder, for good: names come and go.
type Node = usize;
/// A name in a folder.
type Place = (Node, String);

/// What a call does.
#[derive(Debug, Clone)]
enum Op {
    Name(Place, Node),
    Unname(Place, Node),
    Rename(Place, Place, Node),
    Write(Node, usize, Vec<u8>),
    Truncate(Node, usize),
    Sync(Node),
}

impl Op {
    /// The file or the folder whose sync makes it last.
    fn lasts_by(&self) -> Option<Node> {
        match self {
            Self::Name((folder, _), _)
            | Self::Unname((folder, _), _)
            | Self::Rename(_, (folder, _), _) => Some(*folder),
            Self::Write(node, ..) | Self::Truncate(node, _) => Some(*node),
            Self::Sync(_) => None,
        }
    }

    fn is_of_names(&self) -> bool {
        matches!(self, Self::Name(..) | Self::Unname(..) | Self::Rename(..))
    }

    /// Whether a crash beside it may matter more than beside others.
    fn is_pivot(&self) -> bool {
        matches!(self, Self::Sync(_) | Self::Rename(..))
    }
}

#[derive(Debug, Clone)]
enum Content {
    Folder(BTreeMap<String, Node>),
    File(Vec<u8>),
}

/// A folder with all that is below it. The first node is the folder itself.
#[derive(Debug, Clone)]
struct Disk(Vec<Content>);

impl Disk {
    fn folder(&mut self, node: Node) -> &mut BTreeMap<String, Node> {
        match &mut self.0[node] {
            Content::Folder(names) => names,
            Content::File(_) => panic!("names stand in folders"),
        }
    }

    fn file(&mut self, node: Node) -> &mut Vec<u8> {
        match &mut self.0[node] {
            Content::File(bytes) => bytes,
            Content::Folder(_) => panic!("bytes stand in files"),
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Name((folder, name), node) => {
                let _ = self.folder(*folder).insert(name.clone(), *node);
            }
            Op::Unname((folder, name), node) => {
                let names = self.folder(*folder);
                if names.get(name) == Some(node) {
                    names.remove(name);
                }
            }
            Op::Rename(from, (folder, name), node) => {
                self.apply(&Op::Unname(from.clone(), *node));
                self.folder(*folder).insert(name.clone(), *node);
            }
            Op::Write(node, at, data) => {
                let bytes = self.file(*node);
                bytes.resize(bytes.len().max(at + data.len()), 0);
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
            Op::Truncate(node, length) => self.file(*node).resize(*length, 0),
            Op::Sync(_) => {}
        }
    }

    /// Its files and folders; a folder has no bytes.
    fn tree(&self) -> BTreeMap<PathBuf, Option<&[u8]>> {
        let mut tree = BTreeMap::new();
        let mut todo = vec![(PathBuf::new(), 0)];
        while let Some((path, node)) = todo.pop() {
            match &self.0[node] {
                Content::File(bytes) => drop(tree.insert(path, Some(bytes.as_slice()))),
                Content::Folder(names) => {
                    todo.extend(names.iter().map(|(name, node)| (path.join(name), *node)));
                    tree.insert(path, None);
                }
            }
        }
        tree
    }

    fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for (path, bytes) in self.tree() {
            let name = path.display().to_string();
            hasher.update(
                format!("{}\0{name}\0{:?}\0", name.len(), bytes.map(<[u8]>::len)).as_bytes(),
            );
            hasher.update(bytes.unwrap_or_default());
        }
        hasher.finalize()
    }

    /// The ledger on it, as a folder of its own.
    fn desk(&self) -> Desk {
        let desk = Desk::new();
        for (path, bytes) in self.tree() {
            let path = desk.folder().join(path);
            match bytes {
                None => std::fs::create_dir_all(path).expect("a folder is made"),
                Some(bytes) => std::fs::write(path, bytes).expect("a file is written"),
            }
        }
        desk
    }
}

// ---- recording
// --------------------------------------------------------------------------------------------------

/// The library that records, built once.
fn recorder() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recorder.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/recorder.c");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(source)
            .args(["-ldl", "-lpthread"]);
        ended(&mut compiler).ok();
        library
    })
}

/// What was done to a folder, and how it was before.
struct History {
    before: Disk,
    ops: Vec<Op>,
    /// Nodes of the folder's files and folders now, by their inodes.
    inodes: HashMap<u64, Node>,
    now: Disk,
}

impl History {
    /// Nothing done yet to the folder of a desk.
    fn of(desk: &Desk) -> Self {
        let mut history = Self {
            before: Disk(Vec::new()),
            ops: Vec::new(),
            inodes: HashMap::new(),
            now: Disk(Vec::new()),
        };
        history.look(&desk.folder());
        history.now = history.before.clone();
        history
    }

    fn look(&mut self, path: &Path) -> Node {
        let node = self.before.0.len();
        self.inodes.insert(std::fs::metadata(path).expect("it is there").ino(), node);
        if path.is_file() {
            self.before.0.push(Content::File(std::fs::read(path).expect("a file")));
            return node;
        }
        self.before.0.push(Content::Folder(BTreeMap::new()));
        for entry in std::fs::read_dir(path).expect("a folder") {
            let entry = entry.expect("an entry");
            let below = self.look(&entry.path());
            self.before
                .folder(node)
                .insert(entry.file_name().into_string().expect("a name"), below);
        }
        node
    }

    /// The same history at another place: a copy of the folder as it is now.
    fn moved_to(mut self, desk: &Desk) -> Self {
        let mut todo = vec![(desk.folder(), 0)];
        self.inodes.clear();
        while let Some((path, node)) = todo.pop() {
            self.inodes.insert(std::fs::metadata(&path).expect("it is there").ino(), node);
            if let Content::Folder(names) = &self.now.0[node] {
                todo.extend(names.iter().map(|(name, node)| (path.join(name), *node)));
            }
        }
        self
    }

    /// What is left if the process dies after so many calls, and the machine goes on.
    fn killed_after(&self, calls: usize) -> Self {
        let mut history = Self {
            before: self.before.clone(),
            ops: self.ops[..calls].to_vec(),
            inodes: HashMap::new(),
            now: self.before.clone(),
        };
        history.ops.iter().for_each(|op| history.now.apply(op));
        history
    }

    /// Runs a command on the desk and adds what it does.
    fn record(&mut self, bench: &Bench, words: &[&str], desk: &Desk) -> Ended {
        let log = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut command = bench.command(words, desk);
        command
            .env("LD_PRELOAD", recorder())
            .env("POWER_ROOT", desk.folder())
            .env("POWER_LOG", log.path());
        let done = ended(&mut command);
        let record = std::fs::read(log.path()).expect("a record");
        let mut rest = record.as_slice();
        while !rest.is_empty() {
            self.add(&mut rest, &desk.folder());
        }
        done
    }

    fn add(&mut self, record: &mut &[u8], root: &Path) {
        fn take<const N: usize>(record: &mut &[u8]) -> [u8; N] {
            let (taken, rest) = record.split_first_chunk().expect("a whole record");
            *record = rest;
            *taken
        }
        let [what] = take(record);
        let (inode, at) = (u64::from_ne_bytes(take(record)), u64::from_ne_bytes(take(record)));
        let lengths = [u32::from_ne_bytes(take(record)), u32::from_ne_bytes(take(record))];
        let length = u64::from_ne_bytes(take(record));
        let mut piece = |length: usize| {
            let (taken, rest) = record.split_at(length);
            *record = rest;
            taken
        };
        let [path, other] = lengths.map(|length| {
            let text = std::str::from_utf8(piece(length as usize)).expect("a path");
            Path::new(text).strip_prefix(root).map(Path::to_owned).unwrap_or_default()
        });
        let data = piece(usize::try_from(length).expect("it was in memory")).to_vec();
        let at = usize::try_from(at).expect("a small file");
        let node = self.inodes.get(&inode).copied();
        let known = || node.expect("a file that was seen to be made");
        let op = match what {
            b'C' | b'M' => {
                let content = if what == b'C' {
                    Content::File(Vec::new())
                } else {
                    Content::Folder(BTreeMap::new())
                };
                let node = self.now.0.len();
                self.now.0.push(content.clone());
                self.before.0.push(content);
                self.inodes.insert(inode, node);
                Op::Name(self.place(&path), node)
            }
            b'L' => Op::Name(self.place(&other), self.node_at(&path)),
            b'U' | b'D' => Op::Unname(self.place(&path), self.node_at(&path)),
            b'R' => Op::Rename(self.place(&path), self.place(&other), self.node_at(&path)),
            b'W' => Op::Write(known(), at, data),
            b'T' => Op::Truncate(known(), at),
            b'S' => Op::Sync(known()),
            other => panic!("no record begins with {other}"),
        };
        self.now.apply(&op);
        self.ops.push(op);
    }

    fn place(&mut self, path: &Path) -> Place {
        let folder = self.node_at(path.parent().expect("below the folder"));
        (folder, path.file_name().expect("a name").to_str().expect("text").to_owned())
    }

    fn node_at(&mut self, path: &Path) -> Node {
        path.components().fold(0, |node, name| {
            let name = name.as_os_str().to_str().expect("text");
            *self
                .now
                .folder(node)
                .get(name)
                .unwrap_or_else(|| panic!("{} was seen to be made", path.display()))
        })
    }
}

// ---- what a loss of power leaves
// --------------------------------------------------------------------------------

/// What is there of the calls that no sync has made last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Everything,
    Names,
    Bytes,
    /// All, with zeros in place of bytes.
    Zeros,
    /// All, but half of the last write.
    Torn,
    /// A choice, some of it torn or zeros.
    Some(u64),
}

const LEFT: [Left; 6] =
    [Left::Nothing, Left::Names, Left::Everything, Left::Bytes, Left::Zeros, Left::Torn];

impl Left {
    /// What becomes of an unsynced call; `last` is the last write of all.
    fn of(self, op: &Op, number: usize, last: bool) -> Option<Op> {
        let zeros = || match op {
            Op::Write(node, at, data) => Op::Write(*node, *at, vec![0; data.len()]),
            other => other.clone(),
        };
        let torn = || match op {
            Op::Write(node, at, data) => Op::Write(*node, *at, data[..data.len() / 2].to_vec()),
            other => other.clone(),
        };
        match self {
            Self::Nothing => None,
            Self::Everything => Some(op.clone()),
            Self::Names => op.is_of_names().then(|| op.clone()),
            Self::Bytes => (!op.is_of_names()).then(|| op.clone()),
            Self::Zeros => Some(zeros()),
            Self::Torn => Some(if last { torn() } else { op.clone() }),
            Self::Some(seed) => {
                let chance = blake3::hash(format!("{seed} {number}").as_bytes()).as_bytes()[0];
                match chance {
                    0..=111 => None,
                    112..=127 => Some(zeros()),
                    128..=143 => Some(torn()),
                    _ => Some(op.clone()),
                }
            }
        }
    }
}

impl History {
    /// For each call the number of the sync that makes it last.
    fn synced_by(&self) -> Vec<usize> {
        let mut next: HashMap<Node, usize> = HashMap::new();
        let mut synced: Vec<usize> = Vec::new();
        for (number, op) in self.ops.iter().enumerate().rev() {
            if let Op::Sync(node) = op {
                next.insert(*node, number);
            }
            synced.push(
                op.lasts_by().and_then(|node| next.get(&node)).copied().unwrap_or(usize::MAX),
            );
        }
        synced.reverse();
        synced
    }

    /// The disk after a loss of power behind the first `calls` calls.
    fn disk(&self, synced: &[usize], calls: usize, left: Left) -> Disk {
        let mut disk = self.before.clone();
        let is_open = |number: usize| synced[number] >= calls;
        let last = (0..calls)
            .rev()
            .find(|number| is_open(*number) && matches!(self.ops[*number], Op::Write(..)));
        for (number, op) in self.ops[..calls].iter().enumerate() {
            if is_open(number) {
                left.of(op, number, last == Some(number)).iter().for_each(|op| disk.apply(op));
            } else {
                disk.apply(op);
            }
        }
        disk
    }
}

/// A disk to be judged.
struct Case<'a> {
    /// The step, and what else was done: whichever it is in must be whole.
    references: Vec<&'a Reference>,
    disk: Disk,
    /// Whether the command had reported that it is done.
    is_done: bool,
    told: String,
}

/// How many crash points were looked at, and the disks that are seen already: one state of two
/// lives counts once.
#[derive(Default)]
struct Count {
    points: usize,
    seen: HashSet<(blake3::Hash, bool)>,
}

/// The disks that a loss of power behind some calls of a history may leave.
fn cases<'a>(
    references: &[&'a Reference],
    history: &History,
    points: &[usize],
    seeds: u64,
    count: &mut Count,
) -> Vec<Case<'a>> {
    let synced = history.synced_by();
    let name = references.last().expect("a step").step.name;
    let mut cases = Vec::new();
    for calls in points {
        for left in LEFT
            .into_iter()
            .chain((0..seeds).map(|seed| Left::Some(seed * 1_000_003 + *calls as u64)))
        {
            count.points += 1;
            let disk = history.disk(&synced, *calls, left);
            let is_done = *calls == history.ops.len();
            if count.seen.insert((disk.hash(), is_done)) {
                let before =
                    calls.checked_sub(1).map(|last| shown(&history.ops[last])).unwrap_or_default();
                let told = format!(
                    "{name}: power lost after {calls} of {} calls ({before}), {left:?} left",
                    history.ops.len()
                );
                cases.push(Case { references: references.to_vec(), disk, is_done, told });
            }
        }
    }
    cases
}

fn shown(op: &Op) -> String {
    match op {
        Op::Write(node, at, data) => format!("Write({node}, {at}, {} bytes)", data.len()),
        other => format!("{other:?}"),
    }
}

impl Case<'_> {
    /// What is wrong with it.
    fn broken(&self, bench: &Bench) -> Option<String> {
        let gone = Ended {
            process: 0,
            code: None,
            signal: Some(9),
            hung: false,
            stdout: String::new(),
            stderr: String::new(),
        };
        let desk = self.disk.desk();
        let mut why = String::new();
        for reference in &self.references {
            match judge(bench, reference, &desk, &gone, false) {
                Ok(state) if self.is_done && state != State::New => {
                    why = format!("it was reported done, and is {state:?}");
                }
                Ok(state) => {
                    return recover(bench, reference, &desk, state)
                        .err()
                        .map(|broken| format!("{}: {broken}", self.told));
                }
                Err(broken) => why = broken,
            }
        }
        Some(format!("{}: {why}", self.told))
    }
}

/// Up to so many crash points: at each sync and rename, just before and after it, and a spread of
/// the others.
fn points(history: &History, from: usize, most: usize) -> Vec<usize> {
    let last = history.ops.len();
    let pivots = (from..last)
        .filter(|number| history.ops[*number].is_pivot())
        .flat_map(|number| [number, number + 1]);
    let chosen: BTreeSet<usize> = pivots.chain([from, last]).collect();
    let others: Vec<usize> = (from..last).filter(|number| !chosen.contains(number)).collect();
    let mut points = super::spread(&chosen.into_iter().collect::<Vec<_>>(), most);
    points.extend(super::spread(&others, most.saturating_sub(points.len())));
    points.sort_unstable();
    points
}

/// A step's history, on a ledger of its own.
fn recorded(bench: &Bench, reference: &Reference) -> History {
    let desk = reference.before().copy();
    let mut history = History::of(&desk);
    history.record(bench, reference.step.words, &desk).ok();
    let found: Tree = desk.whole();
    let replayed: Tree = (history.now.tree().into_iter())
        .filter_map(|(path, bytes)| {
            Some((path.strip_prefix("ledger").ok()?.display().to_string(), bytes?.to_vec()))
        })
        .filter(|(path, _)| path != "journal.jsonl")
        .collect();
    assert!(found == replayed, "{}: what was recorded is what was done", reference.step.name);
    history
}

/// What is judged of a history: of how many crash points, with how many choices each.
struct Depth {
    points: usize,
    seeds: u64,
    /// Calls after which the process dies, a second one comes, and then the power goes.
    kills: usize,
}

/// All disks of some steps.
fn all_cases<'a>(
    bench: &Bench,
    steps: &'a [(Reference, Reference)],
    depth: &Depth,
    count: &mut Count,
) -> Vec<Case<'a>> {
    let mut work = Vec::new();
    for (reference, next) in steps {
        let history = recorded(bench, reference);
        work.extend(cases(
            &[reference],
            &history,
            &points(&history, 0, depth.points),
            depth.seeds,
            count,
        ));
        let pivots: Vec<usize> =
            (0..history.ops.len()).filter(|number| history.ops[*number].is_pivot()).collect();
        for kill in super::spread(&pivots, depth.kills) {
            work.extend(after_a_kill(bench, (reference, next), &history, kill + 1, depth, count));
        }
    }
    work
}

/// A process dies, a second one does what is to be done, and then the power goes.
fn after_a_kill<'a>(
    bench: &Bench,
    (reference, next): (&'a Reference, &'a Reference),
    history: &History,
    kill: usize,
    depth: &Depth,
    count: &mut Count,
) -> Vec<Case<'a>> {
    let killed = history.killed_after(kill);
    let desk = killed.now.desk();
    let state = reference
        .state(bench, &desk, false)
        .expect("a killed process leaves the old state or the new one");
    let second = if state == State::New { next } else { reference };
    let mut whole = killed.moved_to(&desk);
    whole.record(bench, second.step.words, &desk).ok();
    let points: Vec<usize> = points(&whole, kill, depth.points);
    let references = if state == State::New { vec![reference, next] } else { vec![reference] };
    let mut found = cases(&references, &whole, &points, depth.seeds, count);
    for case in &mut found {
        case.told = format!("killed after {kill} calls; then {}", case.told);
        // Done is what the second process says; of the first step's states none but the next one's
        // is that.
        if case.is_done {
            case.references = vec![second];
        }
    }
    found
}

/// A step, and the empty night after it.
fn with_next(bench: &Bench, step: &'static Step) -> (Reference, Reference) {
    let before: Vec<_> = step.before.iter().copied().chain([step.words]).collect();
    let next = Step {
        name: "the night after",
        before: before.leak(),
        words: EMPTY_NIGHT,
        part: None,
        littered: false,
    };
    let mut next = Reference::of(bench, Box::leak(Box::new(next)));
    let reference = Reference::of(bench, step);
    // What dead runs left may be elsewhere in the ledger; the next night is held against the step's
    // own.
    if step.littered {
        next.whole.clone_from(&reference.whole_after_next);
    }
    (reference, next)
}

fn judged(bench: &Bench, work: Vec<Case<'_>>) -> Vec<String> {
    on_two_threads(work, |case| case.broken(bench).into_iter().collect())
}

/// The short form: some crash points of every step.
#[test]
fn a_loss_of_power_leaves_the_old_state_or_the_new_one() {
    let bench = Bench::new();
    let steps: Vec<_> = STEPS.iter().map(|step| with_next(&bench, step)).collect();
    let depth = Depth { points: 6, seeds: 1, kills: 0 };
    let mut count = Count::default();
    let mut work = all_cases(&bench, &steps, &depth, &mut count);
    let depth = Depth { points: 4, seeds: 0, kills: 3 };
    work.extend(all_cases(&bench, &steps[..2], &depth, &mut count));
    assert!(work.len() > 100, "{} disks", work.len());
    assert_none(&judged(&bench, work));
}

/// What would be found if nothing were synced: a run that was reported, and is not there.
#[test]
fn without_its_syncs_a_step_would_lose_what_it_reported() {
    let bench = Bench::new();
    let step = with_next(&bench, &STEPS[0]);
    let mut history = recorded(&bench, &step.0);
    history.ops.retain(|op| !matches!(op, Op::Sync(_)));
    let end = history.ops.len();
    let broken = judged(&bench, cases(&[&step.0], &history, &[end], 0, &mut Count::default()));
    assert!(
        broken.iter().any(|text| text.contains("it was reported done, and is Old")),
        "{broken:?}"
    );
}

/// The long form: every crash point of every step, and a large night, whose files go past the
/// system's cache.
#[test]
#[ignore = "make power-loss"]
fn a_loss_of_power_anywhere_leaves_the_old_state_or_the_new_one() {
    let bench = Bench::new();
    large_night(&bench);
    let large =
        Step { name: "a large run", before: &[], words: LARGE_NIGHT, part: None, littered: false };
    let large: &'static Step = Box::leak(Box::new(large));
    let depth = Depth { points: usize::MAX, seeds: 3, kills: 12 };
    // Past the test runner, which shows nothing of a test that passes.
    let mut told = std::io::stderr();
    let mut broken = Vec::new();
    let (mut points, mut disks) = (0, 0);
    // `TRUNKRATE_POWER_STEP` chooses steps by a part of their names.
    let wanted = std::env::var("TRUNKRATE_POWER_STEP").unwrap_or_default();
    for step in STEPS.iter().chain([large]).filter(|step| step.name.contains(&wanted)) {
        let depth = if step.name == large.name {
            Depth { points: 40, seeds: 1, kills: 2 }
        } else {
            Depth { ..depth }
        };
        let steps = [with_next(&bench, step)];
        let mut count = Count::default();
        let work = all_cases(&bench, &steps, &depth, &mut count);
        points += count.points;
        disks += work.len();
        let found = work.len();
        let bad = judged(&bench, work);
        let _ = writeln!(
            told,
            "{}: {} crash points, {found} disks, {} bad",
            step.name,
            count.points,
            bad.len()
        );
        broken.extend(bad);
    }
    let _ = writeln!(told, "in all: {points} crash points, {disks} disks, {} bad", broken.len());
    assert_none(&broken);
}
