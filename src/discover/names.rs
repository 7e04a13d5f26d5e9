//! What drafted sources, tables and columns are called, and what their names tell.

/// Headers of Chinese systems that have an English name everybody would give them.
const TRANSLATED: [(&str, &str); 34] = [
    ("订单号", "order_no"),
    ("订单编号", "order_no"),
    ("訂單號", "order_no"),
    ("訂單編號", "order_no"),
    ("单据编号", "document_no"),
    ("发票号", "invoice_no"),
    ("客户", "customer"),
    ("客戶", "customer"),
    ("客户编号", "customer_no"),
    ("客户编码", "customer_no"),
    ("客戶編號", "customer_no"),
    ("客户名称", "customer_name"),
    ("客戶名稱", "customer_name"),
    ("姓名", "name"),
    ("名称", "name"),
    ("金额", "amount"),
    ("金額", "amount"),
    ("数量", "quantity"),
    ("數量", "quantity"),
    ("单价", "unit_price"),
    ("單價", "unit_price"),
    ("日期", "date"),
    ("下单时间", "ordered_at"),
    ("创建时间", "created_at"),
    ("修改时间", "updated_at"),
    ("更新时间", "updated_at"),
    ("状态", "status"),
    ("狀態", "status"),
    ("电话", "phone"),
    ("手机", "mobile"),
    ("手机号", "mobile"),
    ("邮箱", "email"),
    ("地址", "address"),
    ("备注", "note"),
];

/// Columns that say when a row was last changed, by the conventions of ERP systems and frameworks.
const CHANGED: [&str; 21] = [
    "write_date",
    "updated_at",
    "update_at",
    "modified_at",
    "changed_at",
    "updated_on",
    "modified_on",
    "changed_on",
    "updated",
    "modified",
    "last_update",
    "last_updated",
    "last_modified",
    "update_date",
    "update_time",
    "modified_date",
    "modify_time",
    "date_modified",
    "date_updated",
    "gmt_modified",
    "last_update_timestamp",
];
/// Columns that say when a row was made.
const CREATED: [&str; 10] = [
    "create_date",
    "created_at",
    "created_on",
    "created",
    "create_time",
    "creation_date",
    "date_created",
    "gmt_create",
    "inserted_at",
    "created_date",
];

/// An allowed name made of one in a system, `column_3` where nothing of it can be kept; none of those taken already.
pub(super) fn column(from: &str, place: usize, taken: &[String]) -> String {
    let whole = from.replace("[]", "");
    let last = from.rsplit("[]").next().unwrap_or(from);
    let last = last.rsplit('.').next().unwrap_or(last);
    let translated =
        |text: &str| TRANSLATED.iter().find(|(other, _)| *other == text.trim()).map(|(_, english)| english.to_string());
    let short = translated(last).or_else(|| perennial_project::identifier(last));
    let names: Vec<String> = [short, perennial_project::identifier(&whole)].into_iter().flatten().collect();
    let free = names.iter().find(|name| !taken.contains(name)).or(names.first()).cloned();
    unused(free.unwrap_or_else(|| format!("column_{}", place + 1)), taken)
}

/// A name that is not taken.
pub(super) fn unused(base: String, taken: &[String]) -> String {
    if !taken.contains(&base) {
        return base;
    }
    (2..).map(|n| format!("{base}_{n}")).find(|name| !taken.contains(name)).unwrap_or(base)
}

/// Whether most of a name's letters could not be kept, so that a person should choose another.
pub(super) fn is_foreign(from: &str) -> bool {
    !from.is_ascii()
}

/// The words of a name: `orderDate` and `order_date` are `order` and `date`.
pub(super) fn words(name: &str) -> Vec<String> {
    let tidy = perennial_project::identifier(name).unwrap_or_else(|| name.to_lowercase());
    tidy.split('_').filter(|word| !word.is_empty()).map(str::to_string).collect()
}

/// Whether a name says a day or a moment.
pub(super) fn is_time(name: &str) -> bool {
    const WORDS: [&str; 15] = [
        "at",
        "on",
        "date",
        "day",
        "time",
        "timestamp",
        "ts",
        "datetime",
        "created",
        "updated",
        "modified",
        "start",
        "end",
        "since",
        "until",
    ];
    words(name).last().is_some_and(|word| WORDS.contains(&word.as_str()))
        || ["日期", "时间", "時間"].iter().any(|word| name.contains(word))
}

/// Whether a name says digits that are not a number: telephones, post codes, identifiers.
pub(super) fn is_code(name: &str) -> bool {
    const WORDS: [&str; 15] = [
        "phone",
        "telephone",
        "tel",
        "mobile",
        "fax",
        "zip",
        "zipcode",
        "postcode",
        "postal",
        "iban",
        "vat",
        "ean",
        "barcode",
        "caller",
        "sku",
    ];
    words(name).iter().any(|word| WORDS.contains(&word.as_str()))
        || ["电话", "電話", "手机", "手機", "邮编", "郵遞區號", "身份证", "税号", "条码"]
            .iter()
            .any(|word| name.contains(word))
}

/// Whether a name says an identifier.
pub(super) fn is_identifier(name: &str) -> bool {
    const WORDS: [&str; 10] = ["id", "no", "number", "code", "key", "uuid", "guid", "nr", "sku", "ref"];
    words(name).last().is_some_and(|word| {
        let short = !["paid", "valid", "void", "grid", "bid", "mid", "prepaid", "unpaid"].contains(&word.as_str());
        WORDS.contains(&word.as_str()) || (word.ends_with("id") && short)
    })
}

/// Whether a name says when a row was last changed.
pub(super) fn says_changed(name: &str) -> bool {
    CHANGED.contains(&words(name).join("_").as_str())
}

/// Whether a name says when a row was made.
pub(super) fn says_created(name: &str) -> bool {
    CREATED.contains(&words(name).join("_").as_str())
}

/// Whether a column is about a person, by its name; `None` where the name alone does not tell (`name` of a product).
pub(super) fn is_personal(name: &str) -> Option<bool> {
    const PERSONAL: [&str; 32] = [
        "email",
        "mail",
        "phone",
        "telephone",
        "tel",
        "mobile",
        "cell",
        "fax",
        "address",
        "street",
        "iban",
        "birth",
        "birthday",
        "birthdate",
        "dob",
        "ssn",
        "passport",
        "firstname",
        "lastname",
        "surname",
        "fullname",
        "username",
        "ip",
        "caller",
        "callerid",
        "contact",
        "gender",
        "visitor",
        "agent",
        "signature",
        "latitude",
        "longitude",
    ];
    const CHINESE: [&str; 18] = [
        "姓名",
        "电话",
        "電話",
        "手机",
        "手機",
        "邮箱",
        "郵箱",
        "邮件",
        "郵件",
        "地址",
        "身份证",
        "身份證",
        "生日",
        "联系人",
        "聯繫人",
        "收货人",
        "收件人",
        "微信",
    ];
    /// Words behind which a name says something about the thing, not the thing itself.
    const ABOUT: [&str; 9] = ["type", "count", "status", "verified", "confirmed", "kind", "valid", "consent", "format"];
    const OF_PEOPLE: [&str; 14] = [
        "first", "last", "full", "middle", "given", "family", "customer", "contact", "person", "user", "employee",
        "agent", "caller", "maiden",
    ];
    if CHINESE.iter().any(|word| name.contains(word)) {
        return Some(true);
    }
    let words = words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let last = words.last().map(String::as_str).unwrap_or_default();
    if ABOUT.contains(&last) || is_time(name) && last != "birth" {
        return Some(has(&["birth"]));
    }
    if last == "id" {
        return Some(has(&["visitor", "agent", "anonymous", "cookie", "device"]));
    }
    if last == "name" {
        return if words.len() == 1 { None } else { Some(has(&OF_PEOPLE)) };
    }
    Some(has(&PERSONAL))
}

/// Whether a table is about people, by its name.
pub(super) fn is_of_people(table: &str) -> bool {
    const PEOPLE: [&str; 13] = [
        "customer", "client", "partner", "party", "person", "people", "user", "contact", "employee", "member", "agent",
        "lead", "account",
    ];
    words(table).iter().any(|word| PEOPLE.contains(&word.as_str()) || PEOPLE.contains(&word.trim_end_matches('s')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_far_as_they_can_be() {
        let name = |from: &str| column(from, 2, &["taken".to_string()]);
        assert_eq!(name("OrderID"), "order_id");
        assert_eq!(name("Neue Spalte"), "neue_spalte");
        assert_eq!(name("user.email"), "email");
        assert_eq!(name("batch[].messageId"), "message_id");
        assert_eq!(name("user.taken"), "user_taken");
        assert_eq!(name("taken"), "taken_2");
        assert_eq!(name("订单号"), "order_no");
        assert_eq!(name("毛利率"), "column_3");
        assert_eq!(name("2026"), "column_3");
        assert_eq!(name("_id"), "id");
    }

    #[test]
    fn names_tell_what_is_about_people() {
        for name in
            ["email", "customerEmail", "Phone_1", "shipping_address", "first_name", "手机号", "iban", "birth_date"]
        {
            assert_eq!(is_personal(name), Some(true), "{name}");
        }
        for name in ["email_verified", "phone_type", "order_id", "address_id", "product_name", "ordered_at", "amount"] {
            assert_eq!(is_personal(name), Some(false), "{name}");
        }
        assert_eq!(is_personal("name"), None);
        assert!(is_of_people("res_partner") && is_of_people("customers") && !is_of_people("products"));
    }

    #[test]
    fn stamps_and_codes_are_known_by_convention() {
        assert!(says_changed("write_date") && says_changed("updatedAt") && says_changed("LastUpdateTimestamp"));
        assert!(says_created("create_date") && !says_created("ordered_at"));
        assert!(is_time("ordered_at") && is_time("下单时间") && !is_time("amount"));
        assert!(is_code("phone") && is_code("zip_code") && is_code("手机号") && !is_code("order_id"));
        assert!(is_identifier("order_id") && is_identifier("uniqueid") && !is_identifier("region"));
    }
}
