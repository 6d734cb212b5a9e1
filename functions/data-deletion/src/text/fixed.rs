//! The texts that do not depend on the request.

/// The fixed texts of the pages.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) language: &'static str,
    pub(crate) skip: &'static str,
    pub(crate) status_title: &'static str,
    /// The texts for a request of which nothing was held.
    pub(crate) nothing_held: (&'static str, &'static str),
    pub(crate) progress: &'static str,
    pub(crate) done: &'static str,
    pub(crate) not_yet: &'static str,
    pub(crate) check_again: &'static str,
    pub(crate) details: &'static str,
    pub(crate) code: &'static str,
    pub(crate) asked: &'static str,
    pub(crate) asked_on: &'static str,
    pub(crate) due: &'static str,
    /// When a request that can be taken back until then is carried out.
    pub(crate) carried_out_on: &'static str,
    pub(crate) unreadable_since: &'static str,
    pub(crate) completed_on: &'static str,
    pub(crate) held_part: &'static str,
    pub(crate) removed: &'static str,
    pub(crate) kept: &'static str,
    /// What backups keep, and why, of data that was not shredded with its key.
    pub(crate) backups: (&'static str, &'static str),
    pub(crate) receipt: &'static str,
    pub(crate) receipt_how: &'static str,
    pub(crate) receipt_get: &'static str,
    pub(crate) key: &'static str,
    pub(crate) unknown_title: &'static str,
    pub(crate) unknown: &'static str,
    pub(crate) how_title: &'static str,
    pub(crate) how_intro: &'static str,
    pub(crate) how_contact_title: &'static str,
    pub(crate) how_contact: &'static [&'static str],
    pub(crate) how_member_title: &'static str,
    pub(crate) how_member: &'static [&'static str],
    pub(crate) how_after: &'static str,
    pub(crate) how_link: &'static str,
    pub(crate) look_up_title: &'static str,
    pub(crate) look_up_hint: &'static str,
    pub(crate) show: &'static str,
}

pub(super) const ENGLISH: Texts = Texts {
    language: "Language",
    skip: "Skip to content",
    status_title: "Data deletion request",
    nothing_held: (
        "Nothing held",
        "When this request arrived, we held no data for it. Nothing had to be deleted.",
    ),
    progress: "Progress",
    done: "done",
    not_yet: "not yet",
    check_again: "Check again",
    details: "Details",
    code: "Confirmation code",
    asked: "What was asked",
    asked_on: "Asked on",
    due: "To be done by",
    carried_out_on: "Will be carried out on, unless it is taken back",
    unreadable_since: "Unreadable since",
    completed_on: "Completed on",
    held_part: "This does not cover a part of the data that, for legal reasons, has to be kept \
                for now. That part will be deleted as soon as that is over, and has a request of \
                its own:",
    removed: "Removed",
    kept: "Kept, and why",
    backups: (
        "Backups",
        "encrypted, for up to 7 days, to recover from disasters; one that is restored is erased \
         again before it is used",
    ),
    receipt: "Signed receipt",
    receipt_how: "It proves what was deleted and when, and can be checked without us.",
    receipt_get: "Download the receipt",
    key: "The key it is signed with",
    unknown_title: "No request with this code",
    unknown: "Please compare it with the code you were given. Requests are kept for 24 months.",
    how_title: "Delete your data",
    how_intro: "NUMIB is an inbox for businesses. When you write to a business on Instagram or \
                Messenger, NUMIB keeps the messages for it, for 7 to 365 days. You can have them \
                deleted before that.",
    how_contact_title: "If you wrote to a business",
    how_contact: &[
        "Ask the business to delete your conversation.",
        "Or unsend your messages on Instagram or Messenger: that deletes them here too.",
        "Or write to the address in our privacy policy.",
    ],
    how_member_title: "If you use NUMIB with your Facebook account",
    how_member: &[
        "On Facebook, open Settings & privacy, then Settings, then Apps and websites.",
        "Choose NUMIB, then Remove.",
        "Ask for your data to be deleted.",
    ],
    how_after: "You are given a confirmation code, and a link to a page that shows how far the \
                deletion is.",
    how_link: "How to have data deleted",
    look_up_title: "Follow a request",
    look_up_hint: "26 letters and digits. Capitals, spaces and hyphens make no difference.",
    show: "Show the request",
};

pub(super) const SPANISH: Texts = Texts {
    language: "Idioma",
    skip: "Ir al contenido",
    status_title: "Solicitud de eliminación de datos",
    nothing_held: (
        "Sin datos",
        "Cuando llegó esta solicitud, no teníamos datos relacionados con ella. No hubo nada que \
         eliminar.",
    ),
    progress: "Avance",
    done: "hecho",
    not_yet: "pendiente",
    check_again: "Consultar de nuevo",
    details: "Detalles",
    code: "Código de confirmación",
    asked: "Qué se pidió",
    asked_on: "Fecha de la solicitud",
    due: "Fecha límite",
    carried_out_on: "Se llevará a cabo, si no se cancela antes, el",
    unreadable_since: "Datos ilegibles desde",
    completed_on: "Fecha en que se completó",
    held_part: "Esto no abarca una parte de los datos que, por motivos legales, debe conservarse \
                por ahora. Esa parte se eliminará en cuanto eso termine y tiene su propia \
                solicitud:",
    removed: "Lo que se eliminó",
    kept: "Lo que se conserva y por qué",
    backups: (
        "Copias de seguridad",
        "cifradas, hasta 7 días, para recuperarse de desastres; si se restaura una, los datos se \
         eliminan de nuevo antes de usarla",
    ),
    receipt: "Recibo firmado",
    receipt_how: "Demuestra qué se eliminó y cuándo, y puede comprobarse sin nuestra intervención.",
    receipt_get: "Descargar el recibo",
    key: "La clave con la que está firmado",
    unknown_title: "No hay ninguna solicitud con este código",
    unknown: "Compárelo con el código que recibió. Las solicitudes se conservan 24 meses.",
    how_title: "Elimine sus datos",
    how_intro: "NUMIB es una bandeja de entrada para empresas. Cuando usted escribe a una empresa \
                por Instagram o Messenger, NUMIB guarda los mensajes para ella, de 7 a 365 días. \
                Usted puede hacer que se eliminen antes.",
    how_contact_title: "Si escribió a una empresa",
    how_contact: &[
        "Pida a la empresa que elimine su conversación.",
        "O anule el envío de sus mensajes en Instagram o Messenger: así también se eliminan aquí.",
        "O escriba a la dirección que aparece en nuestra política de privacidad.",
    ],
    how_member_title: "Si usa NUMIB con su cuenta de Facebook",
    how_member: &[
        "En Facebook, abra Configuración y privacidad, luego Configuración y luego Apps y sitios \
         web.",
        "Elija NUMIB y luego Eliminar.",
        "Pida que se eliminen sus datos.",
    ],
    how_after: "Recibirá un código de confirmación y un enlace a una página que muestra el avance \
                de la eliminación.",
    how_link: "Cómo hacer que se eliminen datos",
    look_up_title: "Dar seguimiento a una solicitud",
    look_up_hint: "26 letras y cifras. Las mayúsculas, los espacios y los guiones no importan.",
    show: "Mostrar la solicitud",
};
