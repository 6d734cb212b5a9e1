//! The table: what was measured, what stands beside it, and whether the bar holds.

use std::fmt::Write as _;

/// Sums of halves are exact; this only forgives the last bit of a division.
const ROUNDING: f64 = 1e-9;

/// A title and what stands under it.
pub(crate) type Section = (String, Vec<Row>);

/// A benchmark's table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) text: String,
    pub(crate) all_hold: bool,
    /// The bars on costs by their measures, and whether each holds.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a small run looks at costs alone"))]
    pub(crate) costs: Vec<(&'static str, bool)>,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    measure: &'static str,
    unit: &'static str,
    decimals: usize,
    measured: f64,
    beside: Option<f64>,
    bar: Option<Bar>,
    is_cost: bool,
}

/// What a measure is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// The most that the measure may be.
    Max(f64),
    /// The least that the measure may be.
    Min(f64),
    /// The most that it may be in multiples of what stands beside it.
    MaxRatio(f64),
}

impl Row {
    pub(crate) const fn new(measure: &'static str, unit: &'static str, measured: f64) -> Self {
        Self { measure, unit, decimals: 2, measured, beside: None, bar: None, is_cost: false }
    }

    /// A count of calls or of what they consume: the same on every machine and in every build.
    pub(crate) const fn cost(measure: &'static str, unit: &'static str, measured: f64) -> Self {
        Self { is_cost: true, ..Self::new(measure, unit, measured) }
    }

    pub(crate) const fn beside(mut self, beside: f64) -> Self {
        self.beside = Some(beside);
        self
    }

    pub(crate) const fn bar(mut self, bar: Bar) -> Self {
        self.bar = Some(bar);
        self
    }

    pub(crate) const fn decimals(mut self, decimals: usize) -> Self {
        self.decimals = decimals;
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.beside.filter(|beside| *beside > 0.0).map(|beside| self.measured / beside)
    }

    /// Whether the bar holds; `None` where there is none.
    fn holds(&self) -> Option<bool> {
        Some(match self.bar? {
            Bar::Max(most) => self.measured <= most + ROUNDING,
            Bar::Min(least) => self.measured >= least,
            Bar::MaxRatio(most) => self.ratio().is_some_and(|ratio| ratio <= most),
        })
    }

    fn line(&self) -> String {
        let Self { measure, unit, decimals, measured, .. } = self;
        let beside = self.beside.map(|beside| format!("{beside:.decimals$} {unit}"));
        let ratio = self.ratio().map(|ratio| format!("{ratio:.2} x"));
        let bar = self.bar.map(|bar| match bar {
            Bar::Max(most) => format!("<= {most} {unit}"),
            Bar::Min(least) => format!(">= {least} {unit}"),
            Bar::MaxRatio(most) => format!("<= {most} x"),
        });
        let verdict = self.holds().map_or("", |holds| if holds { "pass" } else { "FAIL" });
        format!(
            "{measure:<46} {:>14} {:>14} {:>7}  {:<14} {verdict}",
            format!("{measured:.decimals$} {unit}"),
            beside.unwrap_or_default(),
            ratio.unwrap_or_default(),
            bar.unwrap_or_default(),
        )
    }
}

/// The table under these two heads.
pub(crate) fn render([measured, beside]: [&str; 2], sections: Vec<Section>) -> Table {
    let mut text =
        format!("{:<46} {measured:>14} {beside:>14} {:>7}  {:<14}\n", "", "ratio", "bar");
    let (mut all_hold, mut costs) = (true, Vec::new());
    for (title, rows) in sections {
        let _ = writeln!(text, "\n{title}");
        for row in rows {
            if let Some(holds) = row.holds() {
                all_hold &= holds;
                costs.extend(row.is_cost.then_some((row.measure, holds)));
            }
            let _ = writeln!(text, "  {}", row.line().trim_end());
        }
    }
    Table { text, all_hold, costs }
}

/// A count as a number to divide by; none is ever near the limit.
pub(crate) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

pub(crate) fn mib(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_holds_up_to_its_value_and_no_further() {
        let row = |value| Row::new("m", "ms", value).bar(Bar::Max(2.0));
        assert_eq!(row(2.0).holds(), Some(true));
        assert_eq!(row(2.001).holds(), Some(false));
        assert_eq!(Row::new("m", "ms", 9.0).holds(), None);
    }

    #[test]
    fn a_least_holds_from_its_value_on() {
        let row = |value| Row::new("m", "/min", value).bar(Bar::Min(2.0));
        assert_eq!(row(2.0).holds(), Some(true));
        assert_eq!(row(1.999).holds(), Some(false));
    }

    #[test]
    fn one_bar_that_does_not_hold_is_shown_and_fails_the_table() {
        let rows = |worst| {
            let row = |value| Row::new("m", "ms", value).bar(Bar::Max(2.0));
            vec![("a".to_owned(), vec![row(worst)]), ("b".to_owned(), vec![row(1.0)])]
        };
        let Table { text, all_hold, .. } = render(["it", "other"], rows(2.5));
        assert!(!all_hold && text.contains("FAIL") && text.contains("pass"), "{text}");
        assert!(render(["it", "other"], rows(2.0)).all_hold);
    }

    #[test]
    fn bars_on_costs_are_told_apart_from_those_on_speed() {
        let bar = Bar::Max(2.0);
        let rows = vec![
            Row::new("time", "ms", 9.0).bar(bar),
            Row::cost("writes", "WRU", 2.0).bar(bar),
            Row::cost("reads", "RRU", 9.0).bar(bar),
            Row::cost("calls", "", 9.0),
        ];
        let table = render(["it", "other"], vec![("a".to_owned(), rows)]);
        assert_eq!(table.costs, [("writes", true), ("reads", false)]);
    }

    #[test]
    fn a_ratio_fails_without_anything_beside() {
        let row = Row::new("m", "ms", 3.0).bar(Bar::MaxRatio(1.5));
        assert_eq!(row.holds(), Some(false));
        let row = |beside| Row::new("m", "ms", 3.0).beside(beside).bar(Bar::MaxRatio(1.5));
        assert_eq!(row(2.0).holds(), Some(true));
        assert_eq!(row(1.9).holds(), Some(false));
        assert_eq!(row(0.0).holds(), Some(false));
    }
}
