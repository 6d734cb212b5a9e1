//! What an account says about itself (R1.2): its name, its address, and where bills go.
//!
//! Every field is bounded, and checked when it is read. A profile is stored sealed only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::personal::Personal;

/// Characters of a name, of a person or a company.
const NAME_LEN_MAX: usize = 120;
/// Characters of a line of an address.
const LINE_LEN_MAX: usize = 120;
/// Lines of an address above its city.
const LINES_MAX: usize = 4;
/// Bytes of an e-mail address (RFC 5321 §4.5.3.1.3, without the angle brackets).
pub const EMAIL_LEN_MAX: usize = 254;
/// Characters of a postal code.
const POSTAL_CODE_LEN_MAX: usize = 16;
/// Characters of a tax id, however a country writes it.
const TAX_ID_LEN_MAX: usize = 32;
/// Digits of a telephone number in international form (ITU-T E.164 §6), the country code included.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A profile, in the shape in which the API takes and shows it. Every field may be absent.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The name of the person to turn to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = NAME_LEN_MAX))]
    pub name: Option<String>,
    /// The e-mail address of that person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(email, length(max = EMAIL_LEN_MAX))]
    pub email: Option<String>,
    /// The telephone number of that person in international form, `+` and digits (E.164).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^\+[1-9][0-9]{6,14}$"))]
    pub phone: Option<String>,
    /// The company's registered name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = NAME_LEN_MAX))]
    pub company: Option<String>,
    /// The company's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The company's tax id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<TaxId>,
    /// Who gets the bills, if that is somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing: Option<Billing>,
}

/// A postal address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Street and house, from the top.
    #[schemars(length(min = 1, max = LINES_MAX), inner(length(min = 1, max = LINE_LEN_MAX)))]
    pub lines: Vec<String>,
    /// The city.
    #[schemars(length(min = 1, max = LINE_LEN_MAX))]
    pub city: String,
    /// State, department, province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = LINE_LEN_MAX))]
    pub region: Option<String>,
    /// As the country writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = POSTAL_CODE_LEN_MAX))]
    pub postal_code: Option<String>,
    /// Two letters (ISO 3166-1).
    #[schemars(regex(pattern = "^[A-Z]{2}$"))]
    pub country: String,
}

/// A tax id, in the country that gave it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaxId {
    /// Two letters (ISO 3166-1).
    #[schemars(regex(pattern = "^[A-Z]{2}$"))]
    pub country: String,
    /// In Guatemala a NIT, elsewhere whatever letters and digits the country uses.
    #[schemars(length(max = TAX_ID_LEN_MAX), regex(pattern = "^[A-Za-z0-9./ -]+$"))]
    pub number: String,
}

/// Who gets the bills.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Billing {
    /// A person, or a department.
    #[schemars(length(min = 1, max = NAME_LEN_MAX))]
    pub name: String,
    /// Where bills are sent.
    #[schemars(email, length(max = EMAIL_LEN_MAX))]
    pub email: String,
}

words! {
    /// A field of a profile that breaks its rule.
    Field {
        /// One line of 1 to 120 characters.
        Name = "name",
        /// An e-mail address.
        Email = "email",
        /// `+` and 7 to 15 digits, the first of them not 0.
        Phone = "phone",
        /// One line of 1 to 120 characters.
        Company = "company",
        /// 1 to 4 lines, a city and a country.
        Address = "address",
        /// A country and its number there.
        TaxId = "tax_id",
        /// A name and an e-mail address.
        Billing = "billing",
    }
}

/// Nothing of a profile is ever printed.
macro_rules! unprinted {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

unprinted!(Profile, Address, TaxId, Billing);

impl Profile {
    /// The profile, if every field keeps its rule.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    //= R1.2, R5.2
    pub fn checked(self) -> Result<Self, Field> {
        let Self { name, email, phone, company, address, tax_id, billing } = &self;
        let is_name = |text: &String| is_line(text, NAME_LEN_MAX);
        let checks = [
            (Field::Name, name.as_ref().is_none_or(is_name)),
            (Field::Email, email.as_deref().is_none_or(is_email)),
            (Field::Phone, phone.as_deref().is_none_or(is_phone)),
            (Field::Company, company.as_ref().is_none_or(is_name)),
            (Field::Address, address.as_ref().is_none_or(Address::is_sound)),
            (Field::TaxId, tax_id.as_ref().is_none_or(TaxId::is_sound)),
            (
                Field::Billing,
                billing.as_ref().is_none_or(|one| is_name(&one.name) && is_email(&one.email)),
            ),
        ];
        let unsound = checks.into_iter().find(|(_, is_sound)| !is_sound);
        unsound.map_or(Ok(self), |(field, _)| Err(field))
    }
}

impl Address {
    fn is_sound(&self) -> bool {
        let Self { lines, city, region, postal_code, country } = self;
        (1..=LINES_MAX).contains(&lines.len())
            && lines.iter().all(|line| is_line(line, LINE_LEN_MAX))
            && is_line(city, LINE_LEN_MAX)
            && region.as_ref().is_none_or(|region| is_line(region, LINE_LEN_MAX))
            && postal_code.as_ref().is_none_or(|code| is_line(code, POSTAL_CODE_LEN_MAX))
            && is_country(country)
    }
}

impl TaxId {
    fn is_sound(&self) -> bool {
        let spells = |b: u8| b.is_ascii_alphanumeric() || b"-./ ".contains(&b);
        is_country(&self.country)
            && is_line(&self.number, TAX_ID_LEN_MAX)
            && self.number.bytes().all(spells)
            && (self.country != "GT" || is_nit(&self.number))
    }
}

/// An e-mail address to which an invitation may go.
///
/// It is in lower case: the user pool tells no cases apart, and neither may we.
#[must_use]
pub fn email(text: &str) -> Option<Personal<String>> {
    is_email(text).then(|| Personal::new(text.to_ascii_lowercase()))
}

/// Whether a text is one line of at most so many characters, not blank, and all of it visible.
pub(super) fn is_line(text: &str, len_max: usize) -> bool {
    text.trim() == text
        && (1..=len_max).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
}

/// Whether a text has the shape of an e-mail address that people use. Whether the address exists is
/// for the mail server to say.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= EMAIL_LEN_MAX
        && (1..=64).contains(&local.len())
        && local.bytes().all(is_atom)
        && !local.split('.').any(str::is_empty)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        PHONE_DIGITS.contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

pub(super) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// Whether a text is a NIT: up to twelve digits and a check digit (`K` for ten), with a hyphen
/// between or without one. The thirteen digits of a CUI count, too: SAT takes a CUI as a NIT since
/// 2021.
fn is_nit(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
    let hyphens = text.len().saturating_sub(digits.len());
    let is_placed = match hyphens {
        0 => true,
        1 => text.as_bytes().iter().rev().nth(1) == Some(&b'-'),
        _ => false,
    };
    if !is_placed {
        return false;
    }
    if digits.len() == 13 {
        return hyphens == 0 && digits.iter().all(u8::is_ascii_digit);
    }
    let Some((check, body)) = digits.split_last() else { return false };
    if !(1..=12).contains(&body.len()) || !body.iter().all(u8::is_ascii_digit) {
        return false;
    }
    // Weights from two on, from the right; ten is written `K`.
    let sum = body.iter().rev().zip(2_u32..).fold(0_u32, |sum, (digit, weight)| {
        sum.saturating_add(u32::from(digit.saturating_sub(b'0')).saturating_mul(weight))
    });
    let expected = 11_u32.saturating_sub(sum % 11) % 11;
    match check {
        b'K' => expected == 10,
        digit => digit.is_ascii_digit() && u32::from(digit.saturating_sub(b'0')) == expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(json: &Value) -> Result<Profile, Field> {
        serde_json::from_value::<Profile>(json.clone()).unwrap().checked()
    }

    //= R1.2, R5.2
    #[test]
    fn a_profile_reads_back_as_it_was_given_and_an_empty_one_is_one() {
        let full = json!({
            "name": "María Ñuño", "email": "m@tienda.example.gt", "phone": "+50255501234",
            "company": "Tienda, S. A.",
            "address": {"lines": ["6a avenida 1-23", "zona 1"], "city": "Guatemala",
                        "region": "Guatemala", "postal_code": "01001", "country": "GT"},
            "tax_id": {"country": "GT", "number": "576937-K"},
            "billing": {"name": "Contabilidad", "email": "pagos@tienda.example.gt"},
        });
        assert_eq!(serde_json::to_value(read(&full).unwrap()).unwrap(), full);
        assert_eq!(serde_json::to_value(read(&json!({})).unwrap()).unwrap(), json!({}));
        assert_eq!(format!("{:?}", read(&full).unwrap()), "Profile(..)");
    }

    //= R5.2
    #[test]
    fn each_field_says_what_is_wrong_with_it() {
        let long = "x".repeat(121);
        let address = |lines: &[&str], country: &str| {
            let address = json!({"lines": lines, "city": "c", "country": country});
            json!({ "address": address })
        };
        for (bad, field) in [
            (json!({"name": ""}), Field::Name),
            (json!({"name": " x"}), Field::Name),
            (json!({"name": "a\nb"}), Field::Name),
            (json!({ "name": long }), Field::Name),
            (json!({"company": "\u{7}"}), Field::Company),
            (json!({"phone": "50255501234"}), Field::Phone),
            (json!({"phone": "+0123456789"}), Field::Phone),
            (json!({"phone": "+123456"}), Field::Phone),
            (json!({"phone": "+1234567890123456"}), Field::Phone),
            (address(&[], "GT"), Field::Address),
            (address(&["1", "2", "3", "4", "5"], "GT"), Field::Address),
            (address(&["1"], "gt"), Field::Address),
            (json!({"tax_id": {"country": "GT", "number": "576937-1"}}), Field::TaxId),
            (json!({"tax_id": {"country": "DE", "number": "<b>"}}), Field::TaxId),
            (json!({"billing": {"name": "x", "email": "x"}}), Field::Billing),
        ] {
            assert_eq!(read(&bad).unwrap_err(), field, "{bad}");
        }
    }

    #[test]
    fn an_e_mail_address_has_the_shape_of_one() {
        for good in ["a@b.co", "First.Last+tag@mail.example.com", "o'hara@x-y.example"] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@{}.example", "x".repeat(64), "y".repeat(63));
        assert!(is_email(&long));
        for bad in [
            "",
            "a",
            "@b.co",
            "a@",
            "a@b",
            "a b@c.de",
            "a@b..c",
            ".a@b.co",
            "a.@b.co",
            "a@-b.co",
            "a@b-.co",
            "a@b.c\n",
            "<a@b.co>",
            "ä@b.co",
            "a@b@c.de\u{0}",
        ] {
            assert!(!is_email(bad), "{bad:?}");
        }
        assert!(!is_email(&format!("{}@b.co", "x".repeat(65))));
        assert_eq!(email("A@B.co").unwrap().expose(), "a@b.co");
    }

    #[test]
    fn a_nit_has_a_check_digit_and_a_cui_thirteen_digits() {
        for good in ["576937-K", "576937K", "2345678901234", "1-9"] {
            assert!(is_nit(good), "{good}");
        }
        for bad in ["", "K", "-", "576937-0", "5-76937K", "576937-k", "CF", "234567890123-4"] {
            assert!(!is_nit(bad), "{bad}");
        }
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused() {
        assert!(serde_json::from_value::<Profile>(json!({"iban": "x"})).is_err());
        assert!(serde_json::from_value::<Profile>(json!({"tax_id": {"number": "1"}})).is_err());
    }
}
