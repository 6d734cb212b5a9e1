//! Who reads a clock.

use crate::source::{assert_none, is_comment, sources};

/// What reads one, or starts one.
const READS: [&str; 5] =
    ["clock::now", "Clock::start", "Clock::set_to", "Stopwatch::start", "Instant::now"];

/// Who may, besides `main.rs`, and why.
const READERS: [(&str, &str); 3] = [
    ("shared/src/edge/clock.rs", "it is the clock"),
    ("shared/src/edge/fence.rs", "looks whether the time is up when a request leaves"),
    ("shared/src/edge/secrets.rs", "knows how old its copy is, from one invocation to the next"),
];

#[test]
fn a_function_reads_the_clock_when_it_is_invoked_and_never_again() {
    let mut found = Vec::new();
    let mut readers: Vec<&str> = READERS.iter().map(|(path, _)| *path).collect();
    for source in sources().iter().filter(|source| source.is_rust()) {
        let is_product = source.path.starts_with("functions") || source.path.starts_with("shared");
        if !is_product || source.path.ends_with("src/main.rs") {
            continue;
        }
        let reads = |line: &str| !is_comment(line) && READS.iter().any(|read| line.contains(read));
        let mut lines = source.code().filter(|(_, line)| reads(line)).peekable();
        let path = source.path.to_str().unwrap();
        if READERS.iter().any(|(reader, _)| *reader == path) {
            readers.retain(|reader| *reader != path || lines.peek().is_none());
        } else {
            found.extend(lines.map(|(number, _)| source.at(number)));
        }
    }
    assert_none("clocks that are read below `main.rs`", &found);
    let unused: Vec<String> = readers.into_iter().map(str::to_owned).collect();
    assert_none("readers of a clock that read none", &unused);
}
