//! Each format reads its sample; the answers are written by hand from the samples.

use super::{FORMATS, named};
use crate::testing::{Read, drain_boxed, names, opened};
use std::collections::BTreeMap;

fn read(name: &str, bytes: &[u8], wanted: &[&str]) -> Read {
    let (_folder, file) = opened(bytes);
    drain_boxed((named(name).unwrap().open)(file, &names(wanted)).unwrap()).unwrap()
}

/// The wanted fields of the rows of a text, in the order they are asked for, between bars.
fn cells(name: &str, text: &str, wanted: &[&str]) -> Vec<String> {
    let read = read(name, text.as_bytes(), wanted);
    assert_eq!(read.rejects, vec![], "{name}");
    let place = |field: &&str| read.fields.iter().position(|name| name == field).unwrap();
    let places: Vec<usize> = wanted.iter().map(place).collect();
    let row = |(_, cells): &(u64, Vec<String>)| places.iter().map(|i| cells[*i].as_str()).collect::<Vec<_>>().join("|");
    read.rows.iter().map(row).collect()
}

fn sample(name: &str, wanted: &[&str]) -> Vec<String> {
    cells(name, named(name).unwrap().sample, wanted)
}

fn reasons(name: &str, bytes: &[u8]) -> Vec<(u64, String)> {
    let wanted = named(name).unwrap().fields.first().copied().unwrap_or("date_time");
    read(name, bytes, &[wanted]).rejects.into_iter().map(|reject| (reject.line, reject.reason)).collect()
}

/// A file of the real data; nothing where they are absent.
fn real(path: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("PERENNIAL_REAL_DATA")?;
    Some(std::fs::read(std::path::Path::new(&folder).join(path)).unwrap())
}

#[test]
fn names_are_told_apart_and_fields_are_known() {
    let mut seen = Vec::new();
    for format in FORMATS {
        assert!(!seen.contains(&format.name), "{} is a duplicate", format.name);
        seen.push(format.name);
        assert!(!format.title.ends_with('.') && !format.title.contains('\n'), "{}", format.name);
        // Formats with a fixed line give what they say they have.
        if !format.fields.is_empty() {
            assert_eq!(read(format.name, format.sample.as_bytes(), format.fields).fields, format.fields);
        }
    }
    assert!(named("asterisk").is_none());
}

#[test]
fn asterisk_queue_log() {
    let wanted = [
        "event",
        "agent",
        "caller_number",
        "position",
        "original_position",
        "hold_seconds",
        "wait_seconds",
        "talk_seconds",
        "ring_seconds",
        "ring_milliseconds",
        "member_call_id",
    ];
    assert_eq!(
        sample("asterisk_queue_log", &wanted),
        [
            "QUEUESTART|NONE|∅|∅|∅|∅|∅|∅|∅|∅|∅",
            "ENTERQUEUE|NONE|004930123456|2|∅|∅|∅|∅|∅|∅|∅",
            "RINGNOANSWER|Li Na|∅|∅|∅|∅|∅|∅|∅|5000|∅",
            "CONNECT|Anna|∅|∅|∅|15|∅|∅|3|∅|1767600012.12",
            "COMPLETECALLER|Anna|∅|∅|2|15|∅|120|∅|∅|∅",
            "ENTERQUEUE|NONE||1|∅|∅|∅|∅|∅|∅|∅",
            "ABANDON|NONE|∅|1|1|∅|40|∅|∅|∅|∅",
        ]
    );
    let others = "\
1|c|q|a|EXITWITHKEY|9|3|4|17
1|c|q|a|BLINDTRANSFER|600|internal|5|60|1
1|c|q|a|ATTENDEDTRANSFER|BRIDGE|b1|6|70|2
1|c|q|a|ATTENDEDTRANSFER|LINK|x|y|7|80|3
1|c|q|a|TRANSFER|600|internal
";
    let wanted = ["position", "original_position", "wait_seconds", "hold_seconds", "talk_seconds", "data5"];
    assert_eq!(
        cells("asterisk_queue_log", others, &wanted),
        ["3|4|17|∅|∅|∅", "∅|1|∅|5|60|1", "∅|2|∅|6|70|2", "∅|3|∅|7|80|80", "∅|∅|∅|∅|∅|∅"]
    );
    assert_eq!(
        reasons("asterisk_queue_log", b"1|2|3\n1|2|3|4|5\n1|2|3|4|5|6|7|8|9|10|11|12\n"),
        [
            (1, "the line has 3 values where 5 to 11 are expected".to_string()),
            (3, "the line has 12 values where 5 to 11 are expected".to_string()),
        ]
    );
}

/// Counted with `cut -d'|' -f5 queue_log | sort | uniq -c`, and sums with awk over the fourth and sixth value.
#[test]
fn the_real_queue_log() {
    let Some(log) = real("asterisk/queue_log") else { return };
    let text = std::str::from_utf8(&log).unwrap();
    let rows = cells("asterisk_queue_log", text, &["event", "call_id", "talk_seconds", "hold_seconds", "wait_seconds"]);
    assert_eq!(rows.len(), 46);
    let mut events: BTreeMap<&str, usize> = BTreeMap::new();
    let mut talk: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &rows {
        let cells: Vec<&str> = row.split('|').collect();
        *events.entry(cells[0]).or_default() += 1;
        *talk.entry(cells[0]).or_default() += cells[2].parse::<i64>().unwrap_or(0);
    }
    let counted = [
        ("COMPLETEAGENT", 9),
        ("COMPLETECALLER", 3),
        ("CONNECT", 12),
        ("ENTERQUEUE", 14),
        ("EXITWITHTIMEOUT", 2),
        ("QUEUESTART", 1),
        ("RINGNOANSWER", 5),
    ];
    assert_eq!(events, counted.into());
    assert_eq!((talk["COMPLETEAGENT"], talk["COMPLETECALLER"]), (27, 8));
}

#[test]
fn asterisk_cdr() {
    let wanted = ["clid", "answer", "disposition", "uniqueid", "userfield", "linkedid", "sequence"];
    assert_eq!(
        sample("asterisk_cdr", &wanted),
        [
            "\"Jo \"\"X\"\" Doe\" <004930123456>|2026-01-05 09:00:05|ANSWERED|1767600000.10||1767600000.10|4",
            "004930999999||NO ANSWER|∅|∅|∅|∅",
        ]
    );
    let row = |more: &str| format!("{}\"doc\"{more}\n", "\"x\",".repeat(15));
    let counts = [
        (row(",\"17676.10\""), "17676.10|∅|∅|∅"),
        (row(",\"pbx-1-17676.10\""), "pbx-1-17676.10|∅|∅|∅"),
        (row(",\"topic:billing\""), "∅|topic:billing|∅|∅"),
        (row(",\"\""), "∅||∅|∅"),
        (row(",\"1.2\",\"u\""), "1.2|u|∅|∅"),
        (row(",\"p\",\"3.4\",9"), "∅|∅|3.4|9"),
        (row(",\"1.2\",\"p\",\"3.4\",9"), "1.2|∅|3.4|9"),
        (row(",\"1.2\",\"u\",\"p\",\"3.4\",9"), "1.2|u|3.4|9"),
    ];
    for (text, expected) in counts {
        assert_eq!(cells("asterisk_cdr", &text, &["uniqueid", "userfield", "linkedid", "sequence"]), [expected]);
    }
    let bad = format!("a,b\n{}{}\"x\"y\n\"open\n", row(",1,2,3,4,5,6"), "\"x\",".repeat(15));
    assert_eq!(
        reasons("asterisk_cdr", bad.as_bytes()),
        [
            (1, "the row has 2 columns where 16 to 21 are expected".to_string()),
            (2, "the row has 22 columns where 16 to 21 are expected".to_string()),
            (3, "text follows the closing quote of a field".to_string()),
            (4, "a quote is not closed on its line".to_string()),
        ]
    );
}

/// Counted with Python's `csv` module: rows by disposition, the sum of `billsec`, distinct values of `linkedid`.
#[test]
fn the_real_call_details() {
    let Some(file) = real("asterisk/Master.csv") else { return };
    let rows =
        cells("asterisk_cdr", std::str::from_utf8(&file).unwrap(), &["disposition", "billsec", "linkedid", "clid"]);
    assert_eq!(rows.len(), 50);
    let cells: Vec<Vec<&str>> = rows.iter().map(|row| row.split('|').collect()).collect();
    let count = |disposition: &str| cells.iter().filter(|row| row[0] == disposition).count();
    let billed: i64 = cells.iter().map(|row| row[1].parse::<i64>().unwrap()).sum();
    let calls: std::collections::BTreeSet<&str> = cells.iter().map(|row| row[2]).collect();
    assert_eq!((count("ANSWERED"), count("BUSY"), billed, calls.len()), (40, 10, 133, 14));
    assert_eq!(cells[0][3], "\"\" <13800138001>");
}

#[test]
fn freeswitch_cdr() {
    assert_eq!(
        sample("freeswitch_cdr", &["caller_id_name", "answer_stamp", "billsec", "hangup_cause", "write_codec"]),
        ["Jo Doe|2026-01-05 09:00:05|115|NORMAL_CLEARING|PCMU", "||0|ORIGINATOR_CANCEL|PCMA"]
    );
    assert_eq!(
        reasons("freeswitch_cdr", b"\"a\",\"b\"\n"),
        [(1, "the row has 2 columns where 15 are expected".to_string())]
    );
}

#[test]
fn combined_log() {
    let wanted = [
        "remote_host",
        "remote_user",
        "time",
        "method",
        "path",
        "query",
        "protocol",
        "status",
        "bytes",
        "referer",
        "user_agent",
        "forwarded_for",
        "request",
    ];
    assert_eq!(
        sample("combined_log", &wanted),
        [
            "192.0.2.7|-|05/Jan/2026:10:00:00 +0100|GET|/shop/item|id=7|HTTP/1.1|200|5120|https://example.org/|\
             Mozilla/5.0|∅|GET /shop/item?id=7 HTTP/1.1",
            "192.0.2.8|li na|05/Jan/2026:10:00:01 +0100|GET|/中|∅|HTTP/2.0|304|-|-|a \"quoted\" agent|198.51.100.1|\
             GET /中 HTTP/2.0",
            // 0x16 0x03 0x01 are letters of a kind, so they are decoded.
            "192.0.2.9|-|05/Jan/2026:10:00:02 +0100|∅|∅|∅|∅|400|150|-|-|∅|\u{16}\u{3}\u{1}",
            "host.example|-|05/Jan/2026:09:00:03 +0000|POST|/cart|∅|HTTP/1.0|302|0|∅|∅|∅|POST /cart HTTP/1.0",
        ]
    );
}

#[test]
fn combined_log_keeps_what_it_cannot_decode_and_refuses_what_it_cannot_read() {
    let line = |request: &str, agent: &str| {
        format!("192.0.2.7 - - [05/Jan/2026:10:00:00 +0100] \"{request}\" 200 1 \"-\" \"{agent}\"\n")
    };
    let shown = |request: &str, agent: &str| {
        cells("combined_log", &line(request, agent), &["method", "target", "protocol", "user_agent"]).remove(0)
    };
    // GBK is no UTF-8; an unknown escape is none of ours; Apache's own.
    assert_eq!(shown(r"GET /\xD6\xD0 HTTP/1.1", "x"), r"GET|/\xD6\xD0|HTTP/1.1|x");
    assert_eq!(shown("GET / HTTP/1.1", r"a\q\x41"), r"GET|/|HTTP/1.1|a\q\x41");
    assert_eq!(shown("GET / HTTP/1.1", r#"a\"b\\c\td"#), "GET|/|HTTP/1.1|a\"b\\c\td");
    assert_eq!(shown("GET /a b HTTP/1.1", "x"), "GET|/a b|HTTP/1.1|x");
    assert_eq!(shown("GET /old", "x"), "GET|/old|∅|x");
    assert_eq!(shown("-", ""), "∅|∅|∅|");
    let bad = "\
nothing\n\
192.0.2.7 - - 05/Jan/2026:10:00:00 +0100 \"GET / HTTP/1.1\" 200 1\n\
192.0.2.7 - - [05/Jan/2026:10:00:00 +0100] \"GET / 200 1\n\
192.0.2.7 - - [05/Jan/2026:10:00:00 +0100] \"GET / HTTP/1.1\"\n\
192.0.2.7 - - [05/Jan/2026:10:00:00 +0100] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\" \"-\" \"-\"\n\
192.0.2.7 - - [05/Jan/2026:10:00:00 +0100] \"GET / HTTP/1.1\" 200 1 \"-\" \"a\\\n";
    let found = reasons("combined_log", bad.as_bytes());
    let reasons: Vec<&str> = found.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "the line has no client",
            "the line has no time in brackets",
            "the line has no request in quotes",
            "the line ends before the status",
            "more follows than a combined log has",
            "a text in quotes should stand behind the bytes",
        ]
    );
}

/// Counted with awk: `{print $9}` and `sort | uniq -c` for the status, the first word of the second field between quotes
/// for the method, the sum of `$10` for the bytes. One of the lines ends within the user agent (found with
/// `awk -F'"' 'NF != 7'`): a GET with status 200 and 235 bytes, which awk counts and we refuse.
#[test]
fn the_real_access_log() {
    let Some(log) = real("web/apache_logs.log") else { return };
    let found = read("combined_log", &log, &["method", "status", "bytes"]);
    assert_eq!(found.fields, ["method", "status", "bytes"]);
    assert_eq!((found.rows.len(), found.rejects.len()), (9_999, 1));
    assert!(found.rejects[0].raw.ends_with("+http://www.google.com/bot.html"), "{:?}", found.rejects);
    let count = |field: usize| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        found.rows.iter().for_each(|(_, cells)| *counts.entry(&cells[field]).or_default() += 1);
        counts
    };
    assert_eq!(count(0), [("GET", 9952 - 1), ("HEAD", 42), ("OPTIONS", 1), ("POST", 5)].into());
    let statuses =
        [("200", 9126 - 1), ("206", 45), ("301", 164), ("304", 445), ("403", 2), ("404", 213), ("416", 2), ("500", 3)];
    assert_eq!(count(1), statuses.into());
    let bytes: u64 = found.rows.iter().map(|(_, cells)| cells[2].parse::<u64>().unwrap_or(0)).sum();
    assert_eq!(bytes, 2_747_282_740 - 235);
}

#[test]
fn w3c_extended() {
    let wanted = ["date_time", "c-ip", "cs-uri-stem", "cs(User-Agent)", "sc-status", "sc-bytes", "time-taken"];
    assert_eq!(
        sample("w3c_extended", &wanted),
        [
            "2026-01-05T09:00:01|198.51.100.7|/shop|Mozilla/5.0+(X11)|200|∅|15",
            "2026-01-05T09:00:02|198.51.100.8|/cart|∅|302|120|∅",
        ]
    );
    // Tabs, quotes, a field of one's own, lines before the first directive and of another count.
    let text = "early\n#Version: 1.0\n#Fields: time date x-edge-request-id\n09:00:00\t2026-01-05\ta b\n1\t2\n\
                #Fields: x-note x-edge-request-id\n\"say \"\"hi\"\" now\" q \n\"open q\n";
    let read = read("w3c_extended", text.as_bytes(), &["date_time"]);
    assert_eq!(read.fields, ["date_time", "x-edge-request-id", "x-note"]);
    let rows: Vec<String> = read.rows.iter().map(|(line, cells)| format!("{line}: {}", cells.join("|"))).collect();
    // `#Fields` with blanks between names is not tabbed, so the first lines are read by blanks.
    assert_eq!(rows, ["7: ∅|q|say \"hi\" now"]);
    let reasons: Vec<(u64, &str)> = read.rejects.iter().map(|f| (f.line, f.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (1, "no line `#Fields:` stands before this one"),
            (4, "the line has 2 values where `#Fields:` names 3"),
            (5, "the line has 1 values where `#Fields:` names 3"),
            (8, "a quote is not closed on its line"),
        ]
    );
    let cloud_front =
        "#Version: 1.0\n#Fields:\tdate\ttime\tc-ip\tcs(User-Agent)\n2026-01-05\t09:00:00\t::1\tMozilla/5.0%20x\n";
    assert_eq!(
        cells("w3c_extended", cloud_front, &["date_time", "c-ip", "cs(User-Agent)"]),
        ["2026-01-05T09:00:00|::1|Mozilla/5.0%20x"]
    );
}

#[test]
fn nginx_json() {
    assert_eq!(
        sample("nginx_json", &["time_iso8601", "remote_addr", "status", "request_time", "http_user_agent", "args"]),
        [
            "2026-01-05T10:00:00+01:00|192.0.2.7|200|0.015|Mozilla/5.0|id=7",
            "2026-01-05T10:00:01+01:00|192.0.2.8|302|1.250|a \"quoted\" agent|∅",
        ]
    );
    let text = b"{\"status\":200,\"args\":\"q=\xb5\xc4\"}\n{\"status\":201}\n";
    let found = read("nginx_json", text, &["status"]);
    assert_eq!((found.rows.len(), found.rejects.len()), (1, 1));
}

#[test]
fn segment() {
    let wanted = [
        "type",
        "messageId",
        "anonymousId",
        "userId",
        "previousId",
        "event",
        "sentAt",
        "receivedAt",
        "traits.email",
        "context.page.path",
        "properties.revenue",
    ];
    assert_eq!(
        sample("segment", &wanted),
        [
            "page|m1|a1|∅|∅|∅|2026-01-05T10:00:02.000Z|∅|∅|/|∅",
            "identify|m2|a1|7|∅|∅|2026-01-05T10:00:02.000Z|∅|li.na@example.org|∅|∅",
            "track|m3|∅|7|∅|Order Completed|2026-01-05T10:00:10Z|2026-01-05T10:00:12Z|∅|∅|39.9",
            "alias|m4|∅|7|a1|∅|∅|∅|∅|∅|∅",
        ]
    );
}

#[test]
fn snowplow() {
    let wanted = [
        "app_id",
        "event_id",
        "user_id",
        "user_ipaddress",
        "domain_userid",
        "domain_sessionidx",
        "geo_city",
        "page_url",
        "page_urlpath",
        "page_urlquery",
        "useragent",
        "dvce_type",
        "dvce_ismobile",
        "domain_sessionid",
        "derived_tstamp",
        "event_name",
        "event_fingerprint",
    ];
    assert_eq!(
        sample("snowplow", &wanted),
        ["shop|11111111-1111-4111-8111-111111111111|u7|192.0.2.7|22222222-2222-4222-8222-222222222222|3|Berlin|\
          https://shop.example/item?id=7|/item|id=7|Mozilla/5.0|Desktop|0|44444444-4444-4444-8444-444444444444|\
          2026-01-05 09:00:01.200|page_view|abc"]
    );
    assert_eq!(reasons("snowplow", b"a\tb\n"), [(1, "the line has 2 values where 131 are expected".to_string())]);
}

#[test]
fn ga4_export() {
    let wanted = [
        "event_date",
        "event_timestamp",
        "event_name",
        "event_params[key=ga_session_id].value.int_value",
        "event_params[key=page_location].value.string_value",
        "user_id",
        "device.web_info.browser",
        "ecommerce.purchase_revenue",
        "ecommerce.transaction_id",
        "items",
    ];
    assert_eq!(
        sample("ga4_export", &wanted),
        [
            "20260105|1767603600123456|page_view|1767603500|https://shop.example/?q=中|∅|Chrome|∅|∅|[]",
            "20260105|1767603700000000|purchase|1767603500|∅|7|∅|39.99|T1|[{\"item_id\":\"a\"}]",
        ]
    );
}

#[test]
fn amazon_connect() {
    let wanted = [
        "ContactId",
        "InitialContactId",
        "Queue.Name",
        "Queue.Duration",
        "Agent.Username",
        "Agent.RoutingProfile.Name",
        "Agent.AgentInteractionDuration",
        "CustomerEndpoint.Address",
        "LastUpdateTimestamp",
        "Attributes",
    ];
    assert_eq!(
        sample("amazon_connect", &wanted),
        [
            "c1|∅|Sales|15|anna|Basic|110|+4930123456|2026-01-05T09:03:00Z|{\"topic\":\"billing\"}",
            "c2|∅|Sales|42|∅|∅|∅|∅|2026-01-05T10:02:00Z|{}",
        ]
    );
}

#[test]
fn genesys_conversations() {
    let wanted = [
        "conversationId",
        "conversationEnd",
        "participants[].purpose",
        "participants[].userId",
        "participants[].sessions[].sessionId",
        "participants[].sessions[].ani",
        "participants[].sessions[].segments[#]",
        "participants[].sessions[].segments[].segmentType",
        "participants[].sessions[].segments[].queueId",
        "participants[].sessions[].metrics[name=tAcd].value",
    ];
    let expected = [
        "v1|2026-01-05T09:02:00.000Z|customer|∅|s1|tel:+4930123456|1|interact|∅|∅",
        "v1|2026-01-05T09:02:00.000Z|acd|∅|s2|∅|1|interact|q1|15500",
        "v1|2026-01-05T09:02:00.000Z|agent|u1|s3|∅|1|alert|q1|∅",
        "v1|2026-01-05T09:02:00.000Z|agent|u1|s3|∅|2|interact|q1|∅",
    ];
    assert_eq!(sample("genesys_conversations", &wanted), expected);
    // The same conversation without the list around it.
    let document: serde_json::Value = serde_json::from_str(named("genesys_conversations").unwrap().sample).unwrap();
    let line = format!("{}\n", document["conversations"][0]);
    assert_eq!(cells("genesys_conversations", &line, &wanted), expected);
}

#[test]
fn help_desk_tickets() {
    let wanted = [
        "id",
        "status",
        "via.channel",
        "satisfaction_rating.score",
        "requester.email",
        "metric_set.reply_time_in_minutes.calendar",
        "tags",
        "custom_fields[id=360001].value",
    ];
    assert_eq!(
        sample("help_desk_tickets", &wanted),
        [
            "35|solved|email|good|∅|∅|[\"delivery\"]|lamp",
            "36|deleted|∅|∅|∅|∅|∅|∅",
            "37|new|∅|unoffered|jo@example.org|12|∅|∅",
        ]
    );
}
