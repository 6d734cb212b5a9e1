//! Tax and billing records (R6.3): what is in one, and how long its jurisdiction wants it kept.

use jiff::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::InvoiceId;
use super::profile::is_line;
use super::time::Day;

/// Characters of an invoice's number, and of the parts of its FEL reference.
pub const NUMBER_LEN_MAX: usize = 40;
/// Characters of a line.
pub const LINE_LEN_MAX: usize = 200;
/// Lines of an invoice.
pub const LINES_MAX: usize = 50;
/// The highest total, in minor units. Every JSON reader reads it exactly (RFC 8259 §6).
pub const TOTAL_MAX: u64 = (1 << 53) - 1;

words! {
    /// Whose tax law a record is kept for.
    Jurisdiction {
        /// Guatemala, ISO 3166-1 `GT`: an electronic invoice of the regime FEL.
        Guatemala = "GT",
    }
}

/// A row of the table of jurisdictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Whole calendar years from the day of issue.
    pub years: i16,
    /// The law that says so.
    pub citation: &'static str,
}

impl Jurisdiction {
    /// How long the jurisdiction wants a record kept.
    //= R6.3
    #[must_use]
    pub const fn term(self) -> Term {
        match self {
            Self::Guatemala => Term {
                years: 5,
                citation: "Guatemala, Código de Comercio (Decreto 2-70): five years",
            },
        }
    }

    /// The last day on which a record is kept, given its day of issue: the same date so many years
    /// later, or the last day of February. The record is purged when the next UTC day begins. In
    /// Guatemala that is the evening of the last day, and the law's own years end a day earlier.
    //= R6.3
    #[must_use]
    pub fn kept_until(self, issued_on: Day) -> Day {
        issued_on.after(Span::new().years(self.term().years))
    }
}

/// An invoice, as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// The id that whoever filed the invoice chose.
    pub id: InvoiceId,
    /// The day of issue.
    pub issued_on: Day,
    /// The jurisdiction that wants it kept.
    pub jurisdiction: Jurisdiction,
    /// The part that is stored sealed.
    pub content: Content,
}

/// What an invoice says. All of it is sealed together.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Our own number of the invoice.
    #[schemars(length(min = 1, max = NUMBER_LEN_MAX))]
    pub number: String,
    /// Three letters (ISO 4217).
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// In the currency's minor unit.
    #[schemars(range(max = TOTAL_MAX))]
    pub total_minor: u64,
    /// The authorisation by Guatemala's tax authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fel: Option<Fel>,
    /// What the invoice is for.
    #[schemars(length(min = 1, max = LINES_MAX), inner(length(min = 1, max = LINE_LEN_MAX)))]
    pub lines: Vec<String>,
}

/// What names an electronic invoice to the tax authority (SAT, FEL).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fel {
    /// The number of the authorisation, a UUID.
    #[schemars(extend("format" = "uuid"))]
    pub uuid: String,
    /// The series.
    #[schemars(length(min = 1, max = NUMBER_LEN_MAX))]
    pub serie: String,
    /// The number in the series.
    #[schemars(length(min = 1, max = NUMBER_LEN_MAX))]
    pub numero: String,
}

words! {
    /// A field of an invoice that breaks its rule.
    Field {
        /// One line of 1 to 40 characters.
        Number = "number",
        /// Three capitals.
        Currency = "currency",
        /// A whole number below 2⁵³.
        TotalMinor = "total_minor",
        /// A UUID, a series and a number.
        Fel = "fel",
        /// 1 to 50 lines of 1 to 200 characters.
        Lines = "lines",
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Content(..)")
    }
}

impl std::fmt::Debug for Fel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fel(..)")
    }
}

impl Content {
    /// The invoice, if every field keeps its rule.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    //= R6.3
    pub fn checked(self) -> Result<Self, Field> {
        let Self { number, currency, total_minor, fel, lines } = &self;
        let is_currency = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
        let are_lines = (1..=LINES_MAX).contains(&lines.len())
            && lines.iter().all(|line| is_line(line, LINE_LEN_MAX));
        let checks = [
            (Field::Number, is_line(number, NUMBER_LEN_MAX)),
            (Field::Currency, is_currency),
            (Field::TotalMinor, *total_minor <= TOTAL_MAX),
            (Field::Fel, fel.as_ref().is_none_or(Fel::is_sound)),
            (Field::Lines, are_lines),
        ];
        let unsound = checks.into_iter().find(|(_, is_sound)| !is_sound);
        unsound.map_or(Ok(self), |(field, _)| Err(field))
    }
}

impl Fel {
    fn is_sound(&self) -> bool {
        let groups: Vec<&str> = self.uuid.split('-').collect();
        let is_hex = |text: &&str| text.bytes().all(|b| b.is_ascii_hexdigit());
        groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
            && groups.iter().all(is_hex)
            && is_line(&self.serie, NUMBER_LEN_MAX)
            && is_line(&self.numero, NUMBER_LEN_MAX)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    //= R6.3
    #[test]
    fn years_are_calendar_years_and_a_leap_day_ends_with_february() {
        for (issued_on, kept_until) in [
            ("2026-11-24", "2031-11-24"),
            ("2027-03-01", "2032-03-01"),
            // Two leap years or one in between make no difference.
            ("2028-01-01", "2033-01-01"),
            ("2028-02-29", "2033-02-28"),
            ("2027-02-28", "2032-02-28"),
            ("2026-12-31", "2031-12-31"),
        ] {
            let until = Jurisdiction::Guatemala.kept_until(day(issued_on));
            assert_eq!(until, day(kept_until), "{issued_on}");
        }
    }

    //= R6.3
    #[test]
    fn a_jurisdiction_without_a_row_is_none() {
        assert_eq!(Jurisdiction::parse("GT"), Some(Jurisdiction::Guatemala));
        assert_eq!(Jurisdiction::parse("XX"), None);
        assert!(Jurisdiction::ALL.iter().all(|one| !one.term().citation.is_empty()));
    }

    fn content() -> Value {
        json!({
            "number": "2026-0001", "currency": "GTQ", "total_minor": 123_450,
            "fel": {"uuid": "0A1B2C3D-0000-4000-8000-00112233AABB", "serie": "0A1B2C3D",
                    "numero": "16384"},
            "lines": ["Plan 30 días, noviembre"],
        })
    }

    fn read(json: Value) -> Result<Content, Field> {
        serde_json::from_value::<Content>(json).unwrap().checked()
    }

    #[test]
    fn an_invoice_reads_back_as_it_was_given_and_is_never_printed() {
        let read = read(content()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), content());
        assert_eq!(format!("{read:?} {:?}", read.fel), "Content(..) Some(Fel(..))");
    }

    #[test]
    fn each_field_says_what_is_wrong_with_it() {
        let long = "x".repeat(201);
        for (name, bad, field) in [
            ("number", json!(""), Field::Number),
            ("currency", json!("gtq"), Field::Currency),
            ("total_minor", json!(1_u64 << 53), Field::TotalMinor),
            ("fel", json!({"uuid": "0A", "serie": "1", "numero": "1"}), Field::Fel),
            ("lines", json!([]), Field::Lines),
            ("lines", json!([long]), Field::Lines),
            ("lines", json!(vec!["x"; 51]), Field::Lines),
        ] {
            let mut invoice = content();
            invoice[name] = bad;
            assert_eq!(read(invoice).unwrap_err(), field, "{name}");
        }
    }
}
