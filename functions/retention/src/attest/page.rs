//! The page of an attestation: one sheet in English and Spanish. It has no scripts and nothing from
//! elsewhere, so it reads the same in years.

use askama::Template;
use numib::domain::attestation::{DayTotal, How, Kept, Report, Requests, Rule, Why};
use numib::domain::time::Day;

const STYLE: &str = include_str!("../../templates/attestation.css");

/// A text in English and in Spanish.
type Words = (&'static str, &'static str);

#[derive(Template)]
#[template(path = "attestation.html")]
struct Page<'a> {
    style: &'static str,
    report: &'a Report,
    violations: String,
    rows: Vec<Row>,
    /// The numbers of open requests, those at risk, and late ones.
    requests: (String, String, String),
    chart: Chart,
    days: Vec<DayRow>,
}

/// A rule, as a row of the table.
struct Row {
    name: Words,
    requirements: String,
    due: String,
    removed: String,
    ways: Vec<(String, Words)>,
    held: String,
    why: Vec<Words>,
    left: String,
    late: String,
    longest: String,
    violations: String,
    is_broken: bool,
}

/// A day, as a row of the table.
struct DayRow {
    day: Day,
    rows: String,
    keys: String,
    violations: String,
    is_broken: bool,
}

/// Bars of the last days, and marks below them.
struct Chart {
    panels: [Panel; 2],
    /// The places of days with violations.
    broken: Vec<usize>,
    /// The places of days without an attestation.
    unattested: Vec<usize>,
    first: String,
}

struct Panel {
    name: Words,
    most: String,
    bars: Vec<Bar>,
}

struct Bar {
    x: usize,
    y: u64,
    height: u64,
}

/// The distance from one day to the next.
const STEP: usize = 24;
/// The highest bar.
const BAR_MAX: u64 = 64;
/// The line that bars stand on.
const BASE: u64 = 66;

/// The page of a report.
///
/// # Errors
/// When it cannot be written.
pub(super) fn html(report: &Report) -> askama::Result<String> {
    let Requests { open, at_risk, late } = report.requests;
    let page = Page {
        style: STYLE,
        report,
        violations: grouped(report.violations),
        rows: report.rules.iter().map(row).collect(),
        requests: (grouped(open), grouped(at_risk), grouped(late)),
        chart: chart(&report.history),
        days: report.history.iter().map(day_row).collect(),
    };
    page.render()
}

fn row(kept: &Kept) -> Row {
    let or_dash = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), grouped);
    let held = kept.held.iter().fold(0, |sum: u64, held| sum.saturating_add(held.count));
    let ways = kept.removed_by.iter().filter(|by| by.count > 0);
    let reasons = kept.held.iter().filter(|held| held.count > 0);
    Row {
        name: name(kept.rule),
        requirements: kept.requirements.join(", "),
        due: or_dash(kept.due),
        removed: or_dash(kept.removed),
        ways: ways.map(|by| (grouped(by.count), how(by.how))).collect(),
        held: grouped(held),
        why: reasons.map(|held| why(held.why)).collect(),
        left: or_dash(kept.left),
        late: grouped(kept.late),
        longest: kept.longest_seconds.map_or_else(|| "–".to_owned(), duration),
        violations: grouped(kept.violations),
        is_broken: kept.violations > 0,
    }
}

fn day_row(total: &DayTotal) -> DayRow {
    let is_broken = total.violations.is_some_and(|count| count > 0);
    DayRow {
        day: total.day,
        rows: grouped(total.rows_removed),
        keys: grouped(total.keys_destroyed),
        violations: match total.violations {
            None => "○ no".to_owned(),
            Some(0) => "0".to_owned(),
            Some(count) => format!("▲ {}", grouped(count)),
        },
        is_broken,
    }
}

const fn name(rule: Rule) -> Words {
    match rule {
        Rule::DayKeys => (
            "Keys of expired days: without them nothing opens those days, not even in a backup",
            "Claves de días vencidos: sin ellas nada abre esos días, ni en una copia de seguridad",
        ),
        Rule::Rows => ("Rows of expired messages", "Filas de mensajes vencidos"),
        Rule::AuditEvents => (
            "Audit events, before they are 90 days old",
            "Eventos de auditoría, antes de cumplir 90 días",
        ),
        Rule::TaxRecords => {
            ("Tax records whose period is over", "Registros tributarios cuyo plazo venció")
        }
        Rule::Exports => (
            "Archives of exports, seven days after they were asked for",
            "Archivos de exportaciones, siete días después de pedirse",
        ),
        Rule::Erasures => (
            "Rows of what was erased, of all rows there are",
            "Filas de lo que se borró, de todas las que hay",
        ),
        Rule::Requests => (
            "Requests of people and accounts, by their deadline",
            "Solicitudes de personas y cuentas, dentro de su plazo",
        ),
    }
}

const fn why(why: Why) -> Words {
    match why {
        Why::LegalHold => ("legal hold", "retención legal"),
    }
}

const fn how(how: How) -> Words {
    match how {
        How::Schedule => ("on schedule", "según calendario"),
        How::PlanChange => ("by a shorter plan", "por un plan más corto"),
        How::TimeToLive => ("by the database", "por la base de datos"),
        How::Sweep => ("swept", "barridas"),
    }
}

fn chart(history: &[DayTotal]) -> Chart {
    let panel = |name, count: fn(&DayTotal) -> u64| {
        let counts: Vec<u64> = history.iter().map(count).collect();
        let most = counts.iter().copied().max().unwrap_or_default();
        let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let bars = bars.map(|(place, count)| {
            let height = height(*count, most);
            Bar { x: x(place), y: BASE.saturating_sub(height), height }
        });
        Panel { name, most: grouped(most), bars: bars.collect() }
    };
    let places = |is_marked: fn(&DayTotal) -> bool| {
        let marked = history.iter().enumerate().filter(|(_, total)| is_marked(total));
        marked.map(|(place, _)| x(place)).collect()
    };
    Chart {
        panels: [
            panel(("Rows removed", "Filas eliminadas"), |day| day.rows_removed),
            panel(("Day keys destroyed", "Claves destruidas"), |day| day.keys_destroyed),
        ],
        broken: places(|day| day.violations.is_some_and(|count| count > 0)),
        unattested: places(|day| day.violations.is_none()),
        first: history.first().map(|day| day.day.to_string()).unwrap_or_default(),
    }
}

const fn x(place: usize) -> usize {
    place.saturating_mul(STEP).saturating_add(4)
}

/// The height of a bar. `most` has the whole height, and any count above zero is visible.
fn height(count: u64, most: u64) -> u64 {
    let share = u128::from(count).saturating_mul(u128::from(BAR_MAX));
    let height = share.checked_div(u128::from(most)).unwrap_or_default();
    u64::try_from(height).unwrap_or(BAR_MAX).clamp(2, BAR_MAX)
}

/// A number with a narrow space between groups of three digits, as both languages write it.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A duration in its two largest units. The units have the same signs in both languages.
fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        (_, _, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use numib::domain::attestation::Facts;
    use numib::domain::tally::{Peak, Tallies, Tally};

    use super::*;

    /// A month in which much was removed, one day broke a rule, and one was not attested.
    fn report() -> Report {
        let day = Day::parse("2028-02-29").unwrap();
        let tallies = (0_i32..30).map(|back| {
            let count = u64::try_from(back * 7919 % 1300).unwrap();
            let sums = [(Tally::RowsRemoved, count * 40), (Tally::KeysDestroyed, count / 9)];
            let mut peaks = BTreeMap::from([(Peak::RowsSeconds, 93_000)]);
            peaks.extend((back != 11).then_some((Peak::Violations, u64::from(back == 5) * 3)));
            (day.plus(-back), Tallies { sums: sums.into(), peaks })
        });
        let mut tallies: BTreeMap<Day, Tallies> = tallies.collect();
        let today = tallies.get_mut(&day).unwrap();
        today.sums.extend([(Tally::KeysDestroyed, 1234), (Tally::KeysHeld, 12)]);
        today.sums.insert(Tally::RowsSwept, 77);
        today.peaks.insert(Peak::KeysSeconds, 2100);
        let requests = Requests { open: 41, at_risk: 2, late: 0 };
        let written_at = "2028-03-01T00:30:00Z".parse().unwrap();
        Report::of(&Facts {
            day,
            written_at,
            tallies,
            keys_held: 0,
            keys_overdue: 0,
            visits_left: 0,
            tax_held: 0,
            tax_overdue: 0,
            audit_left: 0,
            exports_left: 0,
            rows_astray: 0,
            requests,
        })
    }

    #[test]
    fn the_page_has_every_number_of_the_report_in_both_languages() {
        let page = html(&report()).unwrap();
        for text in [
            "Every rule was kept.",
            "Se cumplieron todas las reglas.",
            "2028-02-29",
            "<span>1\u{202f}246</span>",
            "<span>1\u{202f}234 <span>1\u{202f}234 on schedule</span>",
            "<span>77 swept</span> <span lang=\"es\">77 barridas</span>",
            "legal hold",
            "retención legal",
            "35 min 0 s",
            "1 d 1 h",
            "▲ 3",
            "○",
            "Open: 41.",
        ] {
            assert!(page.contains(text), "{text}");
        }
        for total in report().history {
            let row = format!(
                "<th scope=\"row\">{}</th><td>{}</td><td>{}</td>",
                total.day,
                grouped(total.rows_removed),
                grouped(total.keys_destroyed)
            );
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn broken_rules_are_said_first() {
        let mut broken = report();
        broken.violations = 4321;
        let page = html(&broken).unwrap();
        assert!(page.contains("<strong>Rules were broken.</strong> Violations: 4\u{202f}321."));
        assert!(page.contains("Se incumplieron reglas."));
        assert!(!page.contains("Every rule was kept."));
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_runs_nothing() {
        let page = html(&report()).unwrap();
        for absent in ["<script", "<link", "<img", " src=", " style=", "href=", "@import", "url("] {
            assert!(!page.contains(absent), "{absent}");
        }
    }

    #[test]
    fn what_is_in_a_filed_report_is_written_as_text() {
        let mut odd = report();
        odd.rules[0].requirements = vec!["<script>alert(1)</script>".to_owned()];
        assert!(!html(&odd).unwrap().contains("<script"));
    }

    #[test]
    fn bars_are_as_high_as_their_share_and_the_smallest_is_seen() {
        assert_eq!(height(100, 100), BAR_MAX);
        assert_eq!(height(50, 100), BAR_MAX / 2);
        assert_eq!(height(1, u64::MAX), 2);
        assert_eq!(height(u64::MAX, u64::MAX), BAR_MAX);
        assert_eq!(height(0, 0), 2, "not drawn");
    }

    #[test]
    fn numbers_and_times_are_short() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1\u{202f}000"), (1_234_567, "1\u{202f}234\u{202f}567")]
        {
            assert_eq!(grouped(number), text);
        }
        for (seconds, text) in
            [(0, "0 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (262_800, "3 d 1 h")]
        {
            assert_eq!(duration(seconds), text);
        }
    }
}
