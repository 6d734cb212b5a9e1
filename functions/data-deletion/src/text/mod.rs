//! The words of the public pages, in both languages.

mod fixed;

use jiff::Timestamp;
use jiff::tz::Offset;
use lambda_http::{Request, RequestExt as _};
use numib::domain::data_kind::{DataKind, Reason};
use numib::domain::erasure::{Source, State};
use numib::domain::time::Day;

pub(crate) use self::fixed::Texts;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Spanish,
}

impl Language {
    /// The one asked for with `?lang=`, else the first that the browser names and we speak, else
    /// English.
    pub(crate) fn of(request: &Request) -> Self {
        let query = request.query_string_parameters();
        let header = request.headers().get("accept-language");
        let asked = query.first("lang").or_else(|| header?.to_str().ok()).unwrap_or_default();
        asked.split(',').find_map(Self::parse).unwrap_or(Self::English)
    }

    /// The language of a tag such as `es-GT;q=0.8`.
    fn parse(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', ';']).next().unwrap_or_default();
        let named = |language: &Self| primary.eq_ignore_ascii_case(language.code());
        [Self::English, Self::Spanish].into_iter().find(named)
    }

    /// The code in `lang` attributes and URLs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::English => Self::Spanish,
            Self::Spanish => Self::English,
        }
    }

    /// Its own name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Spanish => "Español",
        }
    }

    pub(crate) const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &fixed::ENGLISH,
            Self::Spanish => &fixed::SPANISH,
        }
    }

    /// A state, and what it means. Nothing is claimed that is not so yet.
    pub(crate) const fn state(self, state: State) -> (&'static str, &'static str) {
        match (self, state) {
            (Self::English, State::Requested) => {
                ("Received", "The request has arrived. Nothing has been deleted yet.")
            }
            (Self::Spanish, State::Requested) => {
                ("Recibida", "La solicitud ha llegado. Todavía no se ha eliminado nada.")
            }
            (Self::English, State::Held) => (
                "On hold",
                "For legal reasons this data has to be kept for now. It will be deleted as soon \
                 as that is over.",
            ),
            (Self::Spanish, State::Held) => (
                "En espera",
                "Por motivos legales, estos datos deben conservarse por ahora. Se eliminarán en \
                 cuanto eso termine.",
            ),
            (Self::English, State::Shredded | State::Sweeping | State::Verified) => (
                "Under way",
                "Nobody can read the data in NUMIB any more. What is left of it is being removed.",
            ),
            (Self::Spanish, State::Shredded | State::Sweeping | State::Verified) => (
                "En curso",
                "Ya nadie puede leer los datos en NUMIB. Lo que queda de ellos se está eliminando.",
            ),
            (Self::English, State::Completed) => ("Completed", "The data has been deleted."),
            (Self::Spanish, State::Completed) => ("Completada", "Los datos se han eliminado."),
            (Self::English, State::Rejected) => (
                "Not carried out",
                "This request was declined, and nothing was deleted. To ask why, write to the \
                 address in our privacy policy and give the code below.",
            ),
            (Self::Spanish, State::Rejected) => (
                "No realizada",
                "Esta solicitud fue rechazada y no se eliminó nada. Para saber por qué, escriba a \
                 la dirección que aparece en nuestra política de privacidad e indique el código \
                 de abajo.",
            ),
            (Self::English, State::Cancelled) => {
                ("Cancelled", "This request was taken back before anything was deleted.")
            }
            (Self::Spanish, State::Cancelled) => {
                ("Cancelada", "Esta solicitud se retiró antes de que se eliminara nada.")
            }
        }
    }

    /// The milestones of an erasure.
    pub(crate) const fn steps(self) -> [(State, &'static str); 3] {
        let [received, unreadable, deleted] = match self {
            Self::English => ["Request received", "Data unreadable", "Data deleted"],
            Self::Spanish => ["Solicitud recibida", "Datos ilegibles", "Datos eliminados"],
        };
        [(State::Requested, received), (State::Shredded, unreadable), (State::Completed, deleted)]
    }

    pub(crate) const fn source(self, source: Source) -> &'static str {
        match (self, source) {
            (Self::English, Source::MetaDeletion) => {
                "Data deletion, asked for at Facebook or Instagram"
            }
            (Self::Spanish, Source::MetaDeletion) => {
                "Eliminación de datos, pedida en Facebook o Instagram"
            }
            (Self::English, Source::MetaDeauthorize) => {
                "NUMIB was removed at Facebook or Instagram"
            }
            (Self::Spanish, Source::MetaDeauthorize) => "Se quitó NUMIB en Facebook o Instagram",
            (Self::English, Source::MetaList) => "List of deletions published by Meta",
            (Self::Spanish, Source::MetaList) => "Lista de eliminaciones publicada por Meta",
            (Self::English, Source::Disconnect) => "A channel was disconnected",
            (Self::Spanish, Source::Disconnect) => "Se desconectó un canal",
            (Self::English, Source::AccountDeletion) => "An account was deleted",
            (Self::Spanish, Source::AccountDeletion) => "Se eliminó una cuenta",
            (Self::English, Source::Account) => "Asked for by the business",
            (Self::Spanish, Source::Account) => "Pedida por la empresa",
            (Self::English, Source::Operator | Source::Minor) => "Asked for by e-mail",
            (Self::Spanish, Source::Operator | Source::Minor) => "Pedida por correo electrónico",
        }
    }

    /// A kind of data, in the plural.
    pub(crate) const fn kind(self, kind: DataKind) -> &'static str {
        match (self, kind) {
            (Self::English, DataKind::Message) => "Messages",
            (Self::Spanish, DataKind::Message) => "Mensajes",
            (Self::English, DataKind::Contact) => "Contacts",
            (Self::Spanish, DataKind::Contact) => "Contactos",
            (Self::English, DataKind::Connection) => "Connected channels",
            (Self::Spanish, DataKind::Connection) => "Canales conectados",
            (Self::English, DataKind::IndexKey) => "Keys that link data to people",
            (Self::Spanish, DataKind::IndexKey) => "Claves que vinculan datos con personas",
            (Self::English, DataKind::DayKey) => "Keys that open messages",
            (Self::Spanish, DataKind::DayKey) => "Claves que abren mensajes",
            (Self::English, DataKind::Account) => "Account",
            (Self::Spanish, DataKind::Account) => "Cuenta",
            (Self::English, DataKind::AccountKey) => "Keys that open an account's profile",
            (Self::Spanish, DataKind::AccountKey) => "Claves que abren el perfil de una cuenta",
            (Self::English, DataKind::Invoice) => "Invoices",
            (Self::Spanish, DataKind::Invoice) => "Facturas",
            (Self::English, DataKind::PolicyVersion) => "Versions of the privacy policy",
            (Self::Spanish, DataKind::PolicyVersion) => "Versiones de la política de privacidad",
            (Self::English, DataKind::PolicyNotice) => "That a new privacy policy was announced",
            (Self::Spanish, DataKind::PolicyNotice) => "El aviso de una nueva política",
            (Self::English, DataKind::TaxKey) => "Keys that open invoices",
            (Self::Spanish, DataKind::TaxKey) => "Claves que abren facturas",
            (Self::English, DataKind::Member) => "Members",
            (Self::Spanish, DataKind::Member) => "Miembros",
            (Self::English, DataKind::Consent) => "Consents and objections",
            (Self::Spanish, DataKind::Consent) => "Consentimientos y oposiciones",
            (Self::English, DataKind::Answer) => "What members were answered last",
            (Self::Spanish, DataKind::Answer) => "Últimas respuestas a los miembros",
            (Self::English, DataKind::Request) => "This request",
            (Self::Spanish, DataKind::Request) => "Esta solicitud",
            (Self::English, DataKind::Hold) => "Legal holds",
            (Self::Spanish, DataKind::Hold) => "Retenciones legales",
            (Self::English, DataKind::AuditEvent) => "The record of who did what",
            (Self::Spanish, DataKind::AuditEvent) => "El registro de quién hizo qué",
            (Self::English, DataKind::Export) => "Archives of exports",
            (Self::Spanish, DataKind::Export) => "Archivos de exportaciones",
            (Self::English, DataKind::LedgerEntry) => "The record that it was carried out",
            (Self::Spanish, DataKind::LedgerEntry) => "El registro de que se llevó a cabo",
        }
    }

    pub(crate) const fn reason(self, reason: Reason) -> &'static str {
        match (self, reason) {
            (Self::English, Reason::SuppressionMark) => {
                "for 40 days, as a mark without content, so that nothing deleted comes back"
            }
            (Self::Spanish, Reason::SuppressionMark) => {
                "durante 40 días, como una marca sin contenido, para que nada de lo eliminado \
                 vuelva a aparecer"
            }
            (Self::English, Reason::TaxRecord) => {
                "for as long as tax law demands (in Guatemala five years), encrypted, and for \
                 nothing else"
            }
            (Self::Spanish, Reason::TaxRecord) => {
                "el tiempo que exige la ley tributaria (en Guatemala, cinco años), cifradas y \
                 para ningún otro fin"
            }
            (Self::English, Reason::SecurityRecord) => {
                "for at most 90 days, for security: codes that name nobody, times and deeds"
            }
            (Self::Spanish, Reason::SecurityRecord) => {
                "durante 90 días como máximo, por seguridad: códigos que no nombran a nadie, \
                 fechas y acciones"
            }
            (Self::English, Reason::ProofOfErasure) => {
                "as proof of the deletion: codes that name nobody, times and counts"
            }
            (Self::Spanish, Reason::ProofOfErasure) => {
                "como prueba de la eliminación: códigos que no nombran a nadie, fechas y cantidades"
            }
        }
    }

    /// A moment, to the minute.
    pub(crate) fn moment(self, at: Timestamp) -> String {
        let time = Offset::UTC.to_datetime(at).time();
        format!("{}, {:02}:{:02} UTC", self.day(Day::of(at)), time.hour(), time.minute())
    }

    pub(crate) fn day(self, day: Day) -> String {
        let (months, of) = match self {
            Self::English => (&MONTHS, " "),
            Self::Spanish => (&MESES, " de "),
        };
        let date = Offset::UTC.to_datetime(day.start()).date();
        let name = usize::try_from(date.month() - 1).ok().and_then(|index| months.get(index));
        format!("{}{of}{}{of}{}", date.day(), name.copied().unwrap_or_default(), date.year())
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MESES: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::get;

    #[test]
    fn the_language_asked_for_comes_before_the_browsers_first_that_we_speak() {
        for (lang, accept, language) in [
            ("", "", Language::English),
            ("", "es-GT,es;q=0.9,en;q=0.8", Language::Spanish),
            ("", "fr-FR, ES;q=0.8, en;q=0.5", Language::Spanish),
            ("", "fr, est, en-US", Language::English),
            ("en", "es", Language::English),
            ("es", "en", Language::Spanish),
            ("de", "es", Language::English),
        ] {
            let query: &[_] = if lang.is_empty() { &[] } else { &[("lang", lang)] };
            let request = get(query, &[("accept-language", accept)]);
            assert_eq!(Language::of(&request), language, "{lang:?} {accept:?}");
        }
    }

    #[test]
    fn a_moment_is_written_as_people_write_it() {
        let at: Timestamp = "2026-12-05T08:03:59Z".parse().unwrap();
        assert_eq!(Language::English.moment(at), "5 December 2026, 08:03 UTC");
        assert_eq!(Language::Spanish.moment(at), "5 de diciembre de 2026, 08:03 UTC");
        let january: Timestamp = "2027-01-31T00:00:00Z".parse().unwrap();
        assert_eq!(Language::Spanish.moment(january), "31 de enero de 2027, 00:00 UTC");
    }
}
