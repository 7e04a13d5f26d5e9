//! Snowplow's enriched events as tab-separated text.

use super::NamedFormat;
use crate::text::lines::{LineKind, LineParser, LineReader, Row};
use memchr::memchr_iter;
use perennial_core::contract::TextEncoding;
use std::borrow::Cow;

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "snowplow",
    title: "Snowplow's enriched events (tab-separated, 131 columns): one row per event",
    manual: "\
What the enrichment of a Snowplow pipeline writes: 131 values between tabs, without a header. The contract takes those
that say who did what and when; any other is read by naming it, for example `br_lang: {type: text}` under `columns`.

- Delivered at least once: `event_id` shows each event once.
- `occurred_at` is `derived_tstamp`, which Snowplow has corrected for the clock of the device; times are in UTC.
- Who it was: `user_id` after login, `domain_user_id` of a first-party cookie, `network_user_id` of the collector's.
- Amounts of `tr_` and `ti_` are in their own currency (`order_currency`), those that end in `_base` in `base_currency`.
- Contexts and self-describing events are kept as JSON.
- Lines with another count of values are refused (bad rows belong into Snowplow's own bucket of failed events).
",
    contract: "\
key: [event_id]
time_column: occurred_at
columns:
  event_id: {type: text, required: true}
  app_id: {type: text}
  platform: {type: text, description: \"web, mob, srv, ...\"}
  event: {type: text, description: \"page_view, page_ping, struct, unstruct, transaction, ...\"}
  event_vendor: {type: text}
  event_name: {type: text, description: Name of the schema}
  event_version: {type: text}
  event_fingerprint: {type: text}
  occurred_at: {type: instant, from: derived_tstamp, zone: UTC, description: Corrected for the clock of the device}
  collected_at: {type: instant, from: collector_tstamp, zone: UTC, required: true}
  created_on_device_at: {type: instant, from: dvce_created_tstamp, zone: UTC}
  enriched_at: {type: instant, from: etl_tstamp, zone: UTC}
  user_id: {type: text, personal: true, description: After login}
  client_address: {type: text, from: user_ipaddress, personal: true}
  domain_user_id: {type: text, from: domain_userid, personal: true, description: First-party cookie}
  network_user_id: {type: text, from: network_userid, personal: true, description: Cookie of the collector}
  session_id: {type: text, from: domain_sessionid}
  session_number: {type: integer, from: domain_sessionidx, min: 0, description: Sessions of this cookie counted from 1}
  country: {type: text, from: geo_country}
  region: {type: text, from: geo_region_name}
  city: {type: text, from: geo_city}
  time_zone: {type: text, from: geo_timezone}
  page_url: {type: text}
  page_title: {type: text}
  page_referrer: {type: text}
  page_host: {type: text, from: page_urlhost}
  page_path: {type: text, from: page_urlpath}
  page_query: {type: text, from: page_urlquery, personal: true}
  referrer_host: {type: text, from: refr_urlhost}
  referrer_medium: {type: text, from: refr_medium}
  referrer_source: {type: text, from: refr_source}
  referrer_term: {type: text, from: refr_term}
  marketing_medium: {type: text, from: mkt_medium}
  marketing_source: {type: text, from: mkt_source}
  marketing_term: {type: text, from: mkt_term}
  marketing_content: {type: text, from: mkt_content}
  marketing_campaign: {type: text, from: mkt_campaign}
  click_id: {type: text, from: mkt_clickid}
  category: {type: text, from: se_category, description: Of a structured event}
  action: {type: text, from: se_action}
  label: {type: text, from: se_label}
  property: {type: text, from: se_property}
  value: {type: float, from: se_value}
  order_id: {type: text, from: tr_orderid}
  order_total: {type: decimal, from: tr_total}
  order_tax: {type: decimal, from: tr_tax}
  order_shipping: {type: decimal, from: tr_shipping}
  order_currency: {type: text, from: tr_currency}
  order_total_base: {type: decimal, from: tr_total_base}
  base_currency: {type: text}
  item_order_id: {type: text, from: ti_orderid}
  item_sku: {type: text, from: ti_sku}
  item_name: {type: text, from: ti_name}
  item_category: {type: text, from: ti_category}
  item_price: {type: decimal, from: ti_price}
  item_quantity: {type: integer, from: ti_quantity}
  item_currency: {type: text, from: ti_currency}
  user_agent: {type: text, from: useragent}
  browser: {type: text, from: br_family}
  operating_system: {type: text, from: os_family}
  device_type: {type: text, from: dvce_type}
  is_mobile: {type: boolean, from: dvce_ismobile}
  contexts: {type: text, personal: true, description: JSON}
  derived_contexts: {type: text, personal: true, description: JSON}
  self_describing_event: {type: text, from: unstruct_event, personal: true, description: JSON}
",
    sample: concat!(
        "shop\tweb\t2026-01-05 09:00:03.000\t2026-01-05 09:00:01.250\t2026-01-05 09:00:00.900\tpage_view\t",
        "11111111-1111-4111-8111-111111111111\t\tsp\tjs-3.24.0\tssc-2.9.0\tenrich-3.8.0\tu7\t192.0.2.7\t\t",
        "22222222-2222-4222-8222-222222222222\t3\t33333333-3333-4333-8333-333333333333\tDE\t\tBerlin\t\t\t\t\t\t\t",
        "\t\thttps://shop.example/item?id=7\tAn item\t\thttps\tshop.example\t443\t/item\tid=7\t\t\t\t\t\t\t\t\t\t",
        "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\tMozilla/5.0\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t",
        "\t\t\t\t\t\t\t\tDesktop\t0\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t",
        "44444444-4444-4444-8444-444444444444\t2026-01-05 09:00:01.200\tcom.snowplowanalytics.snowplow\t",
        "page_view\tjsonschema\t1-0-0\tabc\t\n",
    ),
    fields: &FIELDS,
    open: |bytes, wanted| {
        let parser = Enriched { fields: super::names(&FIELDS) };
        Ok(Box::new(LineReader::open(bytes, TextEncoding::Utf8, parser, Some(wanted))?))
    },
};

/// In their order.
const FIELDS: [&str; 131] = [
    "app_id",
    "platform",
    "etl_tstamp",
    "collector_tstamp",
    "dvce_created_tstamp",
    "event",
    "event_id",
    "txn_id",
    "name_tracker",
    "v_tracker",
    "v_collector",
    "v_etl",
    "user_id",
    "user_ipaddress",
    "user_fingerprint",
    "domain_userid",
    "domain_sessionidx",
    "network_userid",
    "geo_country",
    "geo_region",
    "geo_city",
    "geo_zipcode",
    "geo_latitude",
    "geo_longitude",
    "geo_region_name",
    "ip_isp",
    "ip_organization",
    "ip_domain",
    "ip_netspeed",
    "page_url",
    "page_title",
    "page_referrer",
    "page_urlscheme",
    "page_urlhost",
    "page_urlport",
    "page_urlpath",
    "page_urlquery",
    "page_urlfragment",
    "refr_urlscheme",
    "refr_urlhost",
    "refr_urlport",
    "refr_urlpath",
    "refr_urlquery",
    "refr_urlfragment",
    "refr_medium",
    "refr_source",
    "refr_term",
    "mkt_medium",
    "mkt_source",
    "mkt_term",
    "mkt_content",
    "mkt_campaign",
    "contexts",
    "se_category",
    "se_action",
    "se_label",
    "se_property",
    "se_value",
    "unstruct_event",
    "tr_orderid",
    "tr_affiliation",
    "tr_total",
    "tr_tax",
    "tr_shipping",
    "tr_city",
    "tr_state",
    "tr_country",
    "ti_orderid",
    "ti_sku",
    "ti_name",
    "ti_category",
    "ti_price",
    "ti_quantity",
    "pp_xoffset_min",
    "pp_xoffset_max",
    "pp_yoffset_min",
    "pp_yoffset_max",
    "useragent",
    "br_name",
    "br_family",
    "br_version",
    "br_type",
    "br_renderengine",
    "br_lang",
    "br_features_pdf",
    "br_features_flash",
    "br_features_java",
    "br_features_director",
    "br_features_quicktime",
    "br_features_realplayer",
    "br_features_windowsmedia",
    "br_features_gears",
    "br_features_silverlight",
    "br_cookies",
    "br_colordepth",
    "br_viewwidth",
    "br_viewheight",
    "os_name",
    "os_family",
    "os_manufacturer",
    "os_timezone",
    "dvce_type",
    "dvce_ismobile",
    "dvce_screenwidth",
    "dvce_screenheight",
    "doc_charset",
    "doc_width",
    "doc_height",
    "tr_currency",
    "tr_total_base",
    "tr_tax_base",
    "tr_shipping_base",
    "ti_currency",
    "ti_price_base",
    "base_currency",
    "geo_timezone",
    "mkt_clickid",
    "mkt_network",
    "etl_tags",
    "dvce_sent_tstamp",
    "refr_domain_userid",
    "refr_dvce_tstamp",
    "derived_contexts",
    "domain_sessionid",
    "derived_tstamp",
    "event_vendor",
    "event_name",
    "event_format",
    "event_version",
    "event_fingerprint",
    "true_tstamp",
];

struct Enriched {
    fields: Vec<String>,
}

impl LineParser for Enriched {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn line(&mut self, line: &str, row: &mut Row<'_>) -> Result<LineKind, Cow<'static, str>> {
        let (mut field, mut start) = (0, 0);
        for at in memchr_iter(b'\t', line.as_bytes()).chain([line.len()]) {
            if field < FIELDS.len() {
                row.part(field, &line[start..at]);
            }
            start = at + 1;
            field += 1;
        }
        let expected = FIELDS.len();
        match field == expected {
            true => Ok(LineKind::Row),
            false => Err(format!("the line has {field} values where {expected} are expected").into()),
        }
    }
}
