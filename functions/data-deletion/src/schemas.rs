//! The shapes of what the public routes answer, for the API's description. No function runs this.

use numib::domain::erasure::{Source, State};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};

/// The status of a request, for machines: what [`crate::pages::status_json`] writes.
pub(crate) fn status(of: &mut SchemaGenerator) -> Schema {
    define(of, "State", states());
    define(of, "Source", sources());
    define(of, "DueAt", due_at());
    define(of, "HeldPart", held_part());
    define(of, "Removed", removed());
    let shape = json!({
        "type": "object",
        "description": "A request as its public page shows it.",
        "required": [
            "confirmation_code", "state", "source", "data_held", "requested_at", "due_at",
            "deadline", "unreadable_since", "completed_at", "removed", "kept", "held_part",
            "receipt", "as_of"
        ],
        "properties": {
            "confirmation_code": {"type": "string"},
            "state": {"$ref": "#/components/schemas/State"},
            "source": {"$ref": "#/components/schemas/Source"},
            "data_held": {"type": "boolean", "description": "Whether anything was held."},
            "requested_at": {"type": "string", "format": "date-time"},
            "due_at": {"$ref": "#/components/schemas/DueAt"},
            "deadline": {"type": "string", "format": "date"},
            "unreadable_since": {"type": ["string", "null"], "format": "date-time"},
            "completed_at": {"type": ["string", "null"], "format": "date-time"},
            "removed": {"$ref": "#/components/schemas/Removed"},
            "kept": {
                "type": "array",
                "description": "What is kept once the rest is unreadable, and why.",
                "items": {
                    "type": "object",
                    "required": ["kind", "reason"],
                    "properties": {
                        "kind": {"type": "string"},
                        "reason": {
                            "enum": ["suppression-mark", "security-record", "proof-of-erasure"]
                        }
                    }
                }
            },
            "held_part": {"$ref": "#/components/schemas/HeldPart"},
            "receipt": {
                "type": ["string", "null"],
                "description": "The signed receipt, once it is done."
            },
            "as_of": {"type": "string", "format": "date-time"}
        }
    });
    define(of, "Status", shape)
}

/// The claims of a receipt: what a worker signs.
pub(crate) fn receipt(of: &mut SchemaGenerator) -> Schema {
    define(of, "Source", sources());
    define(of, "Removed", removed());
    let digest = "base64url of SHA-256 over the code, a space, and the target as the ledger has \
                  it.";
    let backups = "Until then backups have what was erased as ciphertext with a key that is still \
                   there. Null where the keys went too.";
    let shape = json!({
        "type": "object",
        "description": "The claims of a receipt. Times are epoch seconds.",
        "required": [
            "iss", "jti", "iat", "source", "targets", "requested_at", "shredded_at",
            "completed_at", "removed", "keys_destroyed", "kept", "in_backups_until",
            "ledger_position"
        ],
        "properties": {
            "iss": {"const": "tag:numib.app,2026:erasure"},
            "jti": {"type": "string", "description": "The code of the request."},
            "iat": {"type": "integer"},
            "source": {"$ref": "#/components/schemas/Source"},
            "targets": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["kind", "digest"],
                    "properties": {
                        "kind": {"enum": ["account", "connection", "contact", "message"]},
                        "digest": {
                            "type": "string",
                            "pattern": "^[A-Za-z0-9_-]{43}$",
                            "description": digest
                        }
                    }
                }
            },
            "requested_at": {"type": "integer"},
            "shredded_at": {"type": "integer"},
            "completed_at": {"type": "integer"},
            "removed": {"$ref": "#/components/schemas/Removed"},
            "keys_destroyed": {"type": "integer", "minimum": 0},
            "kept": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["kind", "basis"],
                    "properties": {
                        "kind": {"type": "string"},
                        "basis": {
                            "enum": ["suppression-mark", "security-record", "proof-of-erasure"]
                        }
                    }
                }
            },
            "in_backups_until": {"type": ["integer", "null"], "description": backups},
            "ledger_position": {
                "type": ["integer", "null"],
                "description": "Null where nothing was held."
            }
        }
    });
    define(of, "Receipt", shape)
}

/// Gives a shape its name in the description, and returns a reference to it.
fn define(of: &mut SchemaGenerator, name: &str, shape: Value) -> Schema {
    of.definitions_mut().insert(name.to_owned(), shape);
    Schema::new_ref(format!("#/components/schemas/{name}"))
}

fn states() -> Value {
    let said = "`shredded` and all after it: unreadable. `held`: a legal hold keeps it for now.";
    let all: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    json!({"description": said, "enum": all})
}

fn sources() -> Value {
    let said = "Who asked. A report that someone is a minor is shown as `operator`.";
    let public = Source::ALL.iter().filter(|source| source.public() == **source);
    let all: Vec<&str> = public.map(|source| source.as_str()).collect();
    json!({"description": said, "enum": all})
}

fn due_at() -> Value {
    let said = "Not carried out before this; null where it is carried out at once.";
    json!({"type": ["string", "null"], "format": "date-time", "description": said})
}

fn held_part() -> Value {
    let said = "The code of a part that a hold keeps; that may name a further one, kept by other \
                holds.";
    json!({"type": ["string", "null"], "description": said})
}

fn removed() -> Value {
    let said = "How many items were removed so far, by kind.";
    let count = json!({"type": "integer", "minimum": 1});
    json!({"type": "object", "description": said, "additionalProperties": count})
}
