//! What the template limits each role to. The emulator does not evaluate limits on partitions, so
//! they are read in the template: a new, a widened or an unlimited statement fails here.

use std::collections::BTreeSet;

/// Every statement of a role about tables in the template: its name, and which partitions it is
/// limited to. The emulator does not evaluate that limit, so it is read instead.
fn partitions(role: &str) -> Vec<(String, Option<String>)> {
    let of = |statement: &str| {
        let (_, limit) = statement.split_once("Condition: ForAllValues:StringLike: ")?;
        let limit = limit.trim_start_matches('{').strip_prefix("\"dynamodb:LeadingKeys\": [")?;
        Some(limit.split_once(']').unwrap().0.to_owned())
    };
    let about_tables = statements(role).into_iter().filter(|(_, it)| it.contains("dynamodb:"));
    about_tables.map(|(sid, statement)| (sid, of(&statement))).collect()
}

/// A resource of the template, without comments and on one line.
fn resource(name: &str) -> String {
    let template = std::fs::read_to_string(xtask::project::template()).unwrap();
    let (_, resource) = template.split_once(&format!("\n  {name}:\n")).unwrap();
    // Up to the next resource or section.
    let lines = resource.split("\n\n").next().unwrap().lines();
    let uncommented = lines.filter(|line| !line.trim_start().starts_with('#'));
    uncommented.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// The statements of a role in the template, each with its name and on one line: those of its own
/// policy, then those of the managed policies that it names.
fn statements(role: &str) -> Vec<(String, String)> {
    let own = resource(role);
    let managed = own.split("- !Ref ").skip(1).map(|one| one.split_once(' ').unwrap().0);
    let managed: Vec<String> = managed.map(resource).collect();
    let (_, own) = own.split_once(" Policies: ").unwrap();
    let policies = std::iter::once(own).chain(managed.iter().map(String::as_str));
    policies.flat_map(statements_of).collect()
}

fn statements_of(policy: &str) -> Vec<(String, String)> {
    assert!(!policy.contains("kms:"), "what a role may do with keys is up to the key");
    let named = policy.split("- Sid: ").skip(1).map(|one| one.split_once(' ').unwrap());
    let named = named.map(|(sid, it)| (sid.to_owned(), it.trim_end().to_owned()));
    let named: Vec<_> = named.collect();
    assert_eq!(named.len(), policy.matches("Effect: Allow").count(), "one has no name");
    named
}

/// The roles of the functions.
fn roles() -> BTreeSet<String> {
    let template = std::fs::read_to_string(xtask::project::template()).unwrap();
    let names = template.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix("Role:"));
    let roles = names.filter(|name| !name.contains(' ')).map(|name| format!("{name}Role"));
    roles.filter(|role| resource(role).contains("Service: lambda.amazonaws.com")).collect()
}

#[test]
fn the_limits_of_every_role_are_listed_here() {
    let roles = roles();
    assert!(roles.len() >= 8, "the roles are not where they were");
    let here = include_str!("role_limits.rs");
    for role in roles {
        assert!(here.contains(&format!("partitions(\"{role}\")")), "{role} has no test here");
    }
}

fn limited(sid: &str, partitions: &str) -> (String, Option<String>) {
    (sid.to_owned(), Some(partitions.to_owned()))
}

fn unlimited(sid: &str) -> (String, Option<String>) {
    (sid.to_owned(), None)
}

//= R4.5
#[test]
fn the_template_limits_the_intake_to_routes_and_contacts_and_its_writes_to_writing() {
    let routes_and_connections = r#""ROUTE#*", "CONNECTION#*""#;
    let expected = [
        limited("FindConnectionsAndContacts", routes_and_connections),
        limited("MoveConversationsUp", r#""CONNECTION#*""#),
        // A conversation's partition has no prefix.
        unlimited("StoreMessages"),
        limited("FindIndexKeys", r#""ROUTE#*""#),
        limited("ReadPublicKeys", r#""CONNECTION#*""#),
    ];
    assert_eq!(partitions("MetaWebhookRole"), expected);
    let all = statements("MetaWebhookRole");
    let (_, store) = all.iter().find(|(sid, _)| sid == "StoreMessages").unwrap();
    let returns_nothing = r#"Condition: StringEqualsIfExists: {"dynamodb:ReturnValues": NONE}"#;
    assert!(store.ends_with(returns_nothing), "a write may return the row that it replaces");
    // The day keys are in the partitions of connections, so no batch reads those; and of a day key
    // only the public half is read. The emulator sees no attributes of a batch.
    let on_keys = all.iter().filter(|(_, it)| it.contains("Resource: !GetAtt KeysTable.Arn"));
    let on_keys = on_keys.map(|(sid, it)| {
        let action = it.split_once("Action: ").unwrap().1.split_once(' ').unwrap().0;
        let attributes = it.split_once("\"dynamodb:Attributes\": ").unwrap().1;
        let attributes = attributes.split_once(']').unwrap().0;
        (sid.as_str(), action, attributes.trim_start_matches('['))
    });
    let expected = [
        ("FindIndexKeys", "dynamodb:BatchGetItem", "pk, sk, connection_id, index_key"),
        ("ReadPublicKeys", "dynamodb:GetItem", "pk, sk, public_key"),
    ];
    assert_eq!(on_keys.collect::<Vec<_>>(), expected);
}

//= R4.5
#[test]
fn the_template_limits_the_inbox_to_what_it_looks_up_and_keeps_index_keys_from_it() {
    let expected = [
        limited("FindMembersAndAccounts", r#""MEMBER#*", "ACCOUNT#*""#),
        limited("LookAtConnectionsAndContacts", r#""ROUTE#*", "CONNECTION#*""#),
        unlimited("ListConversations"),
        unlimited("ReadMessages"),
        limited("ReadDayKeys", r#""CONNECTION#*""#),
    ];
    assert_eq!(partitions("InboxApiRole"), expected);
}

//= R4.5
#[test]
fn the_template_limits_the_privacy_api_to_what_erasing_takes() {
    let routes_and_connections = r#""ROUTE#*", "CONNECTION#*""#;
    let expected = [
        limited("FindMembersAndAccounts", r#""MEMBER#*", "ACCOUNT#*""#),
        limited("LockAccountsAndCancel", r#""ACCOUNT#*", "SUBJECT#*", "REQUEST#*""#),
        limited("AddMembers", r#""ACCOUNT#*", "MEMBER#*""#),
        limited("ChangeRoles", r#""MEMBER#*""#),
        limited("ListPolicies", r#""POLICY#*", "POLICIES""#),
        limited("ShutMembersOut", r#""MEMBER#*""#),
        limited("CheckOwners", r#""MEMBER#*""#),
        // It files no tax record.
        limited("ListTaxRecords", r#""TAX#*""#),
        limited("CheckThatAccountsServe", r#""ACCOUNT#*""#),
        limited("LookAtConnectionsAndContacts", routes_and_connections),
        unlimited("FindWhatIsHeld"),
        limited(
            "ReadRequestsHoldsAndConnections",
            r#""ROUTE#*", "REQUEST#*", "SUBJECT#*", "HOLD#*""#,
        ),
        // It writes no hold: operator-api alone does.
        limited("OpenRequests", r#""REQUEST#*", "SUBJECT#*", "WAIT#*""#),
        limited("ListRequestsAndConsents", r#""REQUESTS#*", "CONSENTS#*""#),
        limited("PlaceRequestsAndKeepDecisions", r#""REQUESTS#*", "CONSENTS#*""#),
        limited("KeepAnswers", r#""ANSWER#*""#),
        limited("WaitNoMore", r#""WAIT#*""#),
        limited("MarkErased", routes_and_connections),
        limited("AskForAndVoidExports", r#""EXPORT#*", "EXPORTS#*""#),
        unlimited("WriteLedger"),
        limited("ReadAuditTrail", r#""AUDIT#*""#),
        limited("ReadAccountKeys", r#""ACCOUNT#*", "TAX#*""#),
        limited("StoreAccountKeys", r#""ACCOUNT#*""#),
        // Limited to attributes that say nothing, to tombstones, to the ledger.
        unlimited("FindRows"),
        unlimited("PutTombstones"),
        unlimited("FindKeys"),
        limited("DestroyKeys", r#""CONNECTION#*", "ROUTE#*", "ACCOUNT#*""#),
    ];
    assert_eq!(partitions("PrivacyApiRole"), expected);
}

//= R4.3, R4.5
#[test]
fn the_template_limits_staff_to_what_they_are_asked_for_and_keeps_messages_and_members_from_them() {
    let requests = r#""REQUEST#*", "SUBJECT#*", "ONCE#*", "HOLD#*", "WAIT#*""#;
    let routes_and_connections = r#""ROUTE#*", "CONNECTION#*""#;
    let expected = [
        limited("FindMembersAndAccounts", r#""MEMBER#*", "ACCOUNT#*""#),
        limited("OpenAccounts", r#""ACCOUNT#*", "MEMBER#*""#),
        limited("ChangePlans", r#""ACCOUNT#*", "ROUTE#*""#),
        limited("CheckAccounts", r#""ACCOUNT#*""#),
        limited("Tally", r#""RETENTION""#),
        limited("PublishPolicies", r#""POLICY#*", "POLICIES""#),
        limited("ReadTaxRecords", r#""TAX#*""#),
        // It neither changes nor deletes one.
        limited("FileTaxRecords", r#""TAX-DUE", "TAX#*""#),
        limited("StoreAndReadTaxKeys", r#""TAX#*""#),
        limited("LookAtConnectionsAndContacts", routes_and_connections),
        unlimited("FindWhatIsHeld"),
        limited("ReadRequestsHoldsAndConnections", &format!(r#""ROUTE#*", {requests}"#)),
        limited(
            "OpenRequestsAndHold",
            r#""REQUEST#*", "SUBJECT#*", "ONCE#*", "HOLD#*", "HOLDS", "WAIT#*""#,
        ),
        limited("SaveRequests", r#""SUBJECT#*", "REQUEST#*""#),
        limited("PlaceRequests", r#""REQUESTS#*""#),
        limited("KeepAnswers", r#""ANSWER#*""#),
        limited("LiftHolds", r#""HOLD#*", "WAIT#*""#),
        limited("MarkErased", routes_and_connections),
        limited("VoidExports", r#""EXPORT#*", "EXPORTS#*""#),
        // Limited to attributes that say nothing, and to the ledger.
        unlimited("FindKeys"),
        limited("DestroyAndRetimeKeys", r#""CONNECTION#*", "ROUTE#*""#),
        unlimited("WriteLedger"),
    ];
    assert_eq!(partitions("OperatorApiRole"), expected);
    let statements = statements("OperatorApiRole");
    assert!(statements.iter().all(|(_, it)| !it.contains("MessagesTable")));
}

//= R4.5
#[test]
fn the_template_limits_retention_to_connections_their_day_keys_and_tax_records_due() {
    let expected = [
        unlimited("FindConnectionsDue"),
        limited("UpdateConnections", r#""ROUTE#*""#),
        limited("Tally", r#""RETENTION""#),
        unlimited("FindVisitsLeft"),
        limited("LookAtContacts", r#""CONNECTION#*""#),
        limited("FindTaxRecordsDue", r#""TAX-DUE", "TAX#*", "ACCOUNT#*""#),
        limited("PurgeTaxRecords", r#""TAX-DUE", "TAX#*""#),
        limited("PutTaxRecordsOff", r#""TAX-DUE""#),
        limited("LookAtHoldsAndRequests", r#""HOLD#*", "HOLDS", "REQUEST#*""#),
        limited("ReadAuditChains", r#""AUDIT#*", "AUDITED""#),
        limited("PutCheckpoints", r#""AUDIT#*""#),
        limited("CutAuditChains", r#""AUDIT#*", "AUDITED""#),
        unlimited("FindStuckErasures"),
        limited("FindOldExports", r#""EXPORT#*", "EXPORTS#*""#),
        limited("RemoveOldExports", r#""EXPORT#*", "EXPORTS#*""#),
        limited("SetExportsFree", r#""EXPORT#*""#),
        limited("StoreKeys", r#""CONNECTION#*""#),
        limited("ReadPublicKeys", r#""CONNECTION#*""#),
        unlimited("FindKeysDue"),
        // Of every row, without what is sealed in it.
        unlimited("LookAtEveryRow"),
        limited("LookForKeys", r#""CONNECTION#*""#),
        limited("DestroyKeysDue", r#""CONNECTION#*""#),
        limited("DestroyTaxKeys", r#""TAX#*""#),
        // A stream has no partitions; this role opens nothing of what is in it.
        unlimited("ReadRemovals"),
    ];
    assert_eq!(partitions("RetentionRole"), expected);
}

//= R4.5
#[test]
fn the_template_limits_the_callbacks_to_marking_and_destroying() {
    let expected = [
        unlimited("FindWhatIsHeld"),
        limited("LookAtContacts", r#""CONNECTION#*""#),
        limited(
            "ReadRequestsHoldsAndConnections",
            r#""ROUTE#*", "REQUEST#*", "SUBJECT#*", "HOLD#*""#,
        ),
        // It writes no hold: whoever calls it has only signed a question.
        limited("OpenRequests", r#""REQUEST#*", "REQUESTS#*", "SUBJECT#*", "WAIT#*""#),
        limited("WaitNoMore", r#""WAIT#*""#),
        limited("FindExports", r#""EXPORTS#*""#),
        limited("VoidExports", r#""EXPORT#*""#),
        limited("SaveRequests", r#""REQUEST#*""#),
        limited("MarkErased", r#""ROUTE#*", "CONNECTION#*""#),
        unlimited("FindKeys"),
        limited("DestroyKeys", r#""CONNECTION#*", "ROUTE#*""#),
        unlimited("WriteLedger"),
    ];
    assert_eq!(partitions("DataDeletionRole"), expected);
}

//= R4.5
#[test]
fn the_template_limits_the_worker_to_what_it_deletes_and_proves() {
    let requests =
        r#""REQUEST#*", "SUBJECT#*", "HOLD#*", "HOLDS", "WAIT#*", "EXPORT#*", "EXPORTS#*""#;
    let expected = [
        limited(
            "ReadRequestsAndTargets",
            &[r#""ROUTE#*", "CONNECTION#*", "ACCOUNT#*", "MEMBER#*""#, requests].join(", "),
        ),
        limited("LookForTaxRecords", r#""TAX#*""#),
        limited("CheckPlans", r#""ACCOUNT#*""#),
        limited("CheckHolds", r#""HOLD#*""#),
        limited("ForgetLiftedHolds", r#""HOLDS""#),
        unlimited("ProveTheInboxEmpty"),
        limited("TakeTurns", r#""LANE#*""#),
        limited("LookAtContacts", r#""CONNECTION#*""#),
        unlimited("FindErasuresUnderWay"),
        limited("SaveProgress", r#""REQUEST#*", "REQUESTS#*", "SUBJECT#*", "WAIT#*", "EXPORT#*""#),
        limited(
            "MarkErased",
            r#""ROUTE#*", "CONNECTION#*", "ACCOUNT#*", "SUBJECT#*", "REQUEST#*""#,
        ),
        limited(
            "DeleteContactsAndAccounts",
            &[
                r#""CONNECTION#*", "ACCOUNT#*", "MEMBER#*", "WAIT#*", "EXPORT#*""#,
                r#""EXPORTS#*", "ANSWER#*", "CONSENTS#*""#,
            ]
            .join(", "),
        ),
        limited("FindAnswersAndConsents", r#""ANSWER#*", "CONSENTS#*""#),
        // Indexes, and conversations, have keys without a prefix.
        unlimited("FindExpired"),
        limited("Tally", r#""RETENTION""#),
        unlimited("Ledger"),
        limited("NoteWhoWasToldOfPolicies", r#""POLICY#*""#),
        unlimited("FindRows"),
        unlimited("DeleteRows"),
        unlimited("RetimeRows"),
        unlimited("FindOldestRows"),
        unlimited("SweepRows"),
        unlimited("FindKeys"),
        unlimited("DestroyAndRetimeKeys"),
    ];
    assert_eq!(partitions("WorkerRole"), expected);
}

//= R4.5, R2.1
#[test]
fn a_scan_sees_rows_without_what_is_sealed_in_them_and_no_other_table() {
    let (mut may_scan, sealed) = (Vec::new(), ["sealed", "edit,", "edit]"]);
    for role in roles() {
        for (sid, statement) in statements(&role) {
            if statement.contains("dynamodb:Scan") || statement.contains("dynamodb:*") {
                assert!(statement.contains("Resource: !GetAtt MessagesTable.Arn "), "{role} {sid}");
                let (_, seen) = statement.split_once("\"dynamodb:Attributes\": [").unwrap();
                assert!(!sealed.iter().any(|name| seen.contains(name)), "{role} {sid}: {seen}");
                assert!(
                    seen.contains("{\"dynamodb:Select\": SPECIFIC_ATTRIBUTES}"),
                    "{role} {sid}"
                );
                may_scan.push((role.clone(), sid));
            }
        }
    }
    let expected = [("RetentionRole", "LookAtEveryRow"), ("WorkerRole", "FindRows")];
    assert_eq!(may_scan, expected.map(|(role, sid)| (role.to_owned(), sid.to_owned())));
}

/// Who may do what with the data key, for which purpose: the whole of its policy but its
/// administration. The emulator does not evaluate conditions on encryption contexts.
//= R2.1, R6.3, R4.5
#[test]
fn the_data_key_serves_each_role_for_its_own_purposes_only() {
    let template = std::fs::read_to_string(xtask::project::template()).unwrap();
    let (_, key) = template.split_once("\n  DataKey:\n").unwrap();
    let key = key.split("\n\n").next().unwrap();
    let lines = key.lines().filter(|line| !line.trim_start().starts_with('#'));
    let key = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    let between = |text: &str, before: &str, after: &str| {
        let (_, rest) = text.split_once(before).unwrap();
        rest.split_once(after).map_or(rest, |(found, _)| found).to_owned()
    };
    let statements = key.split("- Sid: ").skip(1).filter(|one| !one.starts_with("Administer "));
    let of = |statement: &str| {
        assert!(statement.contains("Condition: StringEqualsIfExists:"), "{statement}");
        let role = between(statement, "Principal: {AWS: !GetAtt ", ".Arn}");
        let action = between(statement, "Action: kms:", " ");
        let purposes = between(statement, "\"kms:EncryptionContext:purpose\": ", " \"kms:");
        (role, action, purposes.trim().trim_end_matches('}').to_owned())
    };
    let found: Vec<_> = statements.map(of).collect();
    let row = |role: &str, action: &str, purposes: &str| {
        (role.to_owned(), action.to_owned(), purposes.to_owned())
    };
    let make = "GenerateDataKeyPairWithoutPlaintext";
    let expected = [
        row("InboxApiRole", "Decrypt", "day-key"),
        row("DataExportRole", "Decrypt", "[day-key, account-key, tax-key]"),
        row("RetentionRole", make, "day-key"),
        row("PrivacyApiRole", make, "account-key"),
        row("OperatorApiRole", make, "tax-key"),
        row("PrivacyApiRole", "Decrypt", "account-key"),
        row("PrivacyApiRole", "Decrypt", "tax-key"),
        row("OperatorApiRole", "Decrypt", "tax-key"),
    ];
    assert_eq!(found, expected);
}

//= R2.1, R4.5
#[test]
fn the_template_limits_exports_to_reading_and_to_their_own_records() {
    let expected = [
        limited(
            "ReadAccountsContactsAndRequests",
            &[
                r#""ACCOUNT#*", "MEMBER#*", "CONNECTION#*", "REQUEST#*", "REQUESTS#*""#,
                r#""CONSENTS#*", "TAX#*", "EXPORT#*""#,
            ]
            .join(", "),
        ),
        limited("LookAtConnectionsAndContacts", r#""ROUTE#*", "CONNECTION#*""#),
        limited("SaveProgress", r#""EXPORT#*""#),
        limited("EndExports", r#""EXPORTS#*""#),
        limited("CheckThatAccountsServe", r#""ACCOUNT#*""#),
        // A conversation's partition has no prefix.
        unlimited("ReadMessages"),
        limited("ReadKeys", r#""CONNECTION#*", "ACCOUNT#*", "TAX#*""#),
        limited("ReadAuditEvents", r#""AUDIT#*""#),
    ];
    assert_eq!(partitions("DataExportRole"), expected);
}
