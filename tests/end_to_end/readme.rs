//! The command blocks of the documents, as they stand, each document's in order, in two terminals:
//! each shows what its comments promise, and leaves nothing that a later one could trip over.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use test_support::{root, write_script};

use super::harness::{patience, wait_until};
use blocks::{Block, blocks};
use plan::{BUILD, DOCUMENTS, Effect, Plan, REPLACED};
use terminal::Terminal;

mod blocks;
mod plan;
mod terminal;

/// The beginning of the documents' paths of programs.
const RELEASE: &str = "target/release";

/// A folder that stands for the repository, and two terminals in it.
struct Session {
    folder: TempDir,
    hub_port: u16,
    broker_port: u16,
    terminals: [Terminal; 2],
}

#[test]
fn every_block_is_run_or_has_a_reason() {
    let planned: BTreeSet<_> = DOCUMENTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(planned.len(), DOCUMENTS.len(), "a document is planned twice");
    let with_blocks = documents().into_iter().filter(|name| !read(name).is_empty());
    assert_eq!(planned, with_blocks.collect(), "documents with blocks, and those with a plan");
    for (name, plans) in DOCUMENTS {
        let blocks = read(name);
        let firsts: Vec<_> = blocks.iter().map(|block| block.statements[0].as_str()).collect();
        for (first, (start, plan)) in firsts.iter().zip(*plans) {
            assert!(first.starts_with(start), "`{first}` of {name} stands where `{start}` should");
            assert!(!matches!(plan, Plan::Not("")), "{name}: {start}");
        }
        assert_eq!(firsts.len(), plans.len(), "the blocks of {name} and their plans: {firsts:#?}");
        for (block, (start, plan)) in blocks.iter().zip(*plans) {
            let Plan::Run(_, effects) = plan else { continue };
            for (part, _) in *effects {
                let count = block.statements.iter().filter(|text| text.contains(part)).count();
                assert!(count >= 1, "{name}: no statement with `{part}` in the block of `{start}`");
            }
        }
    }
}

/// Documents whose blocks are run, each a test of its own.
macro_rules! runs {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            blocks_run_in_order_and_leave_nothing($name);
        })*

        #[test]
        fn each_document_with_blocks_to_run_has_its_test() {
            let is_run = |plans: &[(&str, Plan)]| {
                plans.iter().any(|(_, plan)| matches!(plan, Plan::Run(..)))
            };
            let to_run = DOCUMENTS.iter().filter(|(_, plans)| is_run(plans)).map(|(name, _)| *name);
            assert_eq!(to_run.collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

runs! {
    readme: "README.md",
    broker: "docs/broker.md",
    edge_runtime: "docs/edge-runtime.md",
    load_testing: "docs/load-testing.md",
    scale_out: "docs/scale-out.md",
    sensor: "docs/sensor.md",
    tutorial: "docs/tutorial.md",
}

fn blocks_run_in_order_and_leave_nothing(name: &str) {
    let (_, plans) = DOCUMENTS.iter().find(|(planned, _)| *planned == name).expect("its plan");
    let session = Session::open();
    let mut deferred: Vec<(usize, Vec<String>)> = Vec::new();
    for (block, (_, plan)) in read(name).iter().zip(*plans) {
        let Plan::Run(number, effects) = plan else { continue };
        eprintln!("--- {}: {}", block.heading, block.statements[0]);
        let rest = session.run(*number, &block.statements, effects);
        if !rest.is_empty() {
            // A program holds the terminal until what is typed in another one is done.
            deferred.push((*number, rest));
            continue;
        }
        for (number, statements) in deferred.drain(..) {
            assert!(session.run(number, &statements, &[]).is_empty(), "one program at a time");
        }
        session.assert_nothing_left();
    }
    assert!(deferred.is_empty(), "what holds a terminal is ended: {deferred:?}");
    let all = session.terminals[0].since(0);
    let kept: Vec<_> = all.iter().filter(|line| line.contains("kept in target/hub")).collect();
    assert!(kept.is_empty(), "a twin is not as it was: {kept:?}");
}

/// The documents at the top of the repository, in its folder `docs`, and beside the peers.
fn documents() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["", "docs/", "perf/peers/"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                found.insert(format!("{folder}{name}"));
            }
        }
    }
    found
}

/// The blocks of a document.
fn read(name: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(name)).unwrap();
    // What stands between these is no command.
    let is_fence = |line: &str| ["```", "```text", "```json", "```toml"].contains(&line);
    let is_another = |line: &str| line.trim_start().starts_with("```") && !is_fence(line);
    let another = text.lines().find(|line| is_another(line) || line.starts_with('\t'));
    assert_eq!(another, None, "{name}: a block in another form would not be seen");
    blocks(&text)
}

impl Session {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [hub_port, broker_port] = free_ports();
        let [sluicegate, loadgen] = ["sluicegate", "loadgen"].map(test_support::program);
        let programs = folder.path().join(RELEASE);
        fs::create_dir_all(&programs).unwrap();
        symlink(&sluicegate, programs.join("sluicegate")).unwrap();
        symlink(root().join("deploy"), folder.path().join("deploy")).unwrap();
        let listen = format!(
            "[ \"$1\" = hub ] && shift && exec '{0}' hub --listen 127.0.0.1:{hub_port} \"$@\"\n\
             exec '{0}' \"$@\"",
            loadgen.display()
        );
        write_script(&programs.join("loadgen"), &listen);
        // So Cargo leaves a checkout.
        fs::write(folder.path().join("Cargo.lock"), "").unwrap();
        let tools = folder.path().join("bin");
        fs::create_dir_all(&tools).unwrap();
        // Debian keeps daemons where only root's PATH looks.
        let system = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/usr/local/sbin";
        for tool in ["mosquitto", "mosquitto_pub", "mosquitto_sub"] {
            let text = format!(
                "PATH={system}\n[ \"$1\" = -c ] && exec {tool} \"$@\"\n\
                 exec {tool} -p {broker_port} \"$@\""
            );
            write_script(&tools.join(tool), &text);
        }
        let path = format!("{}:{system}", tools.display());
        let terminals = [(); 2].map(|()| Terminal::open(folder.path(), &path));
        Self { folder, hub_port, broker_port, terminals }
    }

    /// Types statements and looks for their effects. Gives those behind one that holds the
    /// terminal.
    #[track_caller]
    fn run(&self, number: usize, statements: &[String], effects: &[(&str, Effect)]) -> Vec<String> {
        let terminal = &self.terminals[number];
        for (index, statement) in statements.iter().enumerate() {
            if statement.starts_with(BUILD) {
                continue;
            }
            let typed = self.as_typed(statement);
            if let Some(keys) = Terminal::keys(statement) {
                terminal.start(&typed, keys);
                return statements[index + 1..].to_vec();
            }
            let (mark, start) = (terminal.mark(), Instant::now());
            let code = terminal.run(&typed);
            let measures = statement.contains("loadgen run");
            assert!(code == 0 || measures, "`{statement}` ends with {code}");
            // Of a measurement the end counts, of all else the instant at which it was typed.
            let start = if measures { Instant::now() } else { start };
            for (_, effect) in effects.iter().filter(|(part, _)| statement.contains(part)) {
                self.look(terminal, (mark, start), statement, effect);
            }
        }
        Vec::new()
    }

    fn as_typed(&self, statement: &str) -> String {
        let (port, url) = (self.broker_port, format!("mqtt://localhost:{}", self.broker_port));
        let typed = statement.replace("1883", &port.to_string()).replace("mqtt://localhost", &url);
        REPLACED.iter().fold(typed, |typed, (from, to)| typed.replace(from, to))
    }

    #[track_caller]
    fn look(
        &self,
        terminal: &Terminal,
        (mark, start): (usize, Instant),
        statement: &str,
        effect: &Effect,
    ) {
        let has = |texts: &[&str]| {
            terminal.since(mark).iter().any(|line| texts.iter().all(|text| line.contains(text)))
        };
        let soon = |condition: &mut dyn FnMut() -> bool| wait_soon(start, statement, condition);
        match *effect {
            Effect::Line(texts) => soon(&mut || has(texts)),
            Effect::OneOf(texts) => soon(&mut || texts.iter().any(|text| has(&[text]))),
            Effect::Lines(count, text) => {
                soon(&mut || count_of(&terminal.since(mark), text) >= count);
                assert_eq!(count_of(&terminal.since(mark), text), count, "`{statement}`");
            }
            Effect::NoAlert(text) => {
                soon(&mut || self.ask(&["twin", "get", "filter"]).contains("\"value\": 1000"));
                let (mark, received) = (terminal.mark(), self.received());
                wait_until("more readings are judged", || self.received() >= received + 2);
                assert_eq!(count_of(&terminal.since(mark), text), 0, "`{statement}`");
            }
            Effect::NothingPublished(text) => {
                let behind =
                    r#"mosquitto_pub -q 1 -t sensors/behind -m '{"machine":{"temperature":99}}'"#;
                assert_eq!(terminal.run(behind), 0);
                soon(&mut || has(&["alerts/sensors/behind"]));
                assert_eq!(count_of(&terminal.since(mark), text), 0, "`{statement}`");
            }
        }
    }

    /// What the hub of the session answers.
    fn ask(&self, words: &[&str]) -> String {
        let mut command = Command::new(self.folder.path().join(RELEASE).join("loadgen"));
        let output = command.args(words).current_dir(self.folder.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// How many readings the filter has received.
    #[track_caller]
    fn received(&self) -> u64 {
        let text = self.ask(&["method", "filter", "stats"]);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        answer["payload"]["counters"]["received"].as_u64().unwrap_or_else(|| panic!("{text}"))
    }

    /// No process but the two shells, and nobody on the ports.
    #[track_caller]
    fn assert_nothing_left(&self) {
        let shells = self.terminals.each_ref().map(Terminal::shell);
        let mut left = BTreeSet::new();
        wait_until("nothing of a block is left", || {
            left = processes_in(self.folder.path());
            left.retain(|(id, name)| !shells.contains(id) && name != "script");
            left.is_empty()
        });
        for port in [self.hub_port, self.broker_port] {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }
}

/// An effect comes within 3 s of its command; on a machine whose tests have more patience, later.
#[track_caller]
fn wait_soon(start: Instant, statement: &str, condition: &mut dyn FnMut() -> bool) {
    let limit = patience() / 10;
    // Looked at once at least, and judged by when it was there.
    loop {
        let (seen, after) = (condition(), start.elapsed());
        assert!(after < limit, "`{statement}` shows no effect within {limit:?}: {after:?}");
        if seen {
            eprintln!("{after:?}: {statement}");
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn count_of(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

/// Numbers and names of the processes whose working directory is this one.
fn processes_in(folder: &Path) -> BTreeSet<(u32, String)> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let there = ids.filter(|id| {
        fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|directory| directory == folder)
    });
    let name = |id| fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    there.map(|id| (id, name(id).trim_end().to_owned())).collect()
}

fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
