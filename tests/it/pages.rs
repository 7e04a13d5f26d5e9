//! The pages as readers see them: HTML in a real browser, PDF through poppler.

use crate::company::demo;
use crate::support::run as perennial;
use std::path::{Path, PathBuf};
use std::process::Command;

fn editions(extension: &str) -> Vec<PathBuf> {
    let folder = demo().join("reports/management-review/2026-09");
    let found = ["en", "zh-CN", "zh-TW"].map(|language| folder.join(format!("{language}.{extension}")));
    for file in &found {
        assert!(file.exists(), "{} is missing", file.display());
    }
    found.to_vec()
}

/// What a page says of itself when a browser shows it this wide.
const PROBE: &str = r#"<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe id="page" src="PAGE" style="border:0;width:WIDTHpx;height:900px"></iframe><pre id="result"></pre><script>
const errors = [];
page.onload = () => setTimeout(() => {
  const inner = page.contentWindow, doc = page.contentDocument, cut = [];
  for (const e of doc.querySelectorAll('body *')) {
    const box = e.getBoundingClientRect();
    let scrolls = false;
    for (let p = e; p && p !== doc.body; p = p.parentElement)
      if (['auto', 'scroll'].includes(inner.getComputedStyle(p).overflowX)) scrolls = true;
    const hidden = inner.getComputedStyle(e).position === 'absolute' || e.closest('details:not([open])');
    if (!scrolls && !hidden && !e.closest('svg') && box.width > 0 && box.right > WIDTH + 1) cut.push(e.tagName + '.' + e.className);
  }
  const charts = [...doc.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect())
    .map(b => [Math.round(b.width), Math.round(b.height)]);
  const unnamed = [...doc.querySelectorAll('svg')].filter(s => !s.getAttribute('aria-label') && !s.getAttribute('aria-labelledby')
    && s.getAttribute('aria-hidden') !== 'true').length;
  const outside = inner.performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith('data:'));
  result.textContent = JSON.stringify({ title: doc.title, language: doc.documentElement.lang, cut, charts, unnamed, outside,
    scroll: doc.documentElement.scrollWidth, headings: doc.querySelectorAll('h1').length, main: doc.querySelectorAll('main').length,
    folds: doc.querySelectorAll('figure details table, details table').length });
}, 300);
</script>"#;

fn probe(page: &Path, width: u32) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let harness = folder.path().join("probe.html");
    let url = format!("file://{}", page.display());
    let html = PROBE.replace("PAGE", &url).replace("WIDTH", &width.to_string());
    std::fs::write(&harness, html).unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args([
            "--disable-component-update",
            "--disable-sync",
            "--allow-file-access-from-files",
            "--enable-logging=stderr",
        ])
        .args(["--virtual-time-budget=5000", "--window-size=1400,1000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", harness.display()))
        .output()
        .expect("chromium is needed; scripts/test installs it");
    let errors = String::from_utf8_lossy(&output.stderr);
    let console: Vec<&str> = errors.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{}: {console:?}", page.display());
    let dom = String::from_utf8_lossy(&output.stdout);
    let json = dom.split("<pre id=\"result\">").nth(1).and_then(|rest| rest.split("</pre>").next()).unwrap_or("");
    serde_json::from_str(&json.replace("&amp;", "&").replace("&gt;", ">").replace("&lt;", "<"))
        .unwrap_or_else(|e| panic!("{e}: {dom}"))
}

#[test]
fn pages_are_whole_on_a_desk_and_on_a_phone() {
    for (page, language) in editions("html").iter().zip(["en", "zh-CN", "zh-TW"]) {
        for width in [1100, 360] {
            let seen = probe(page, width);
            assert_eq!(seen["language"], language, "{seen}");
            assert_eq!(seen["headings"], 1, "{seen}");
            assert_eq!(seen["main"], 1, "{seen}");
            assert_eq!(seen["cut"], serde_json::json!([]), "{} at {width} px: {seen}", page.display());
            assert!(seen["scroll"].as_u64().unwrap() <= u64::from(width), "{} at {width} px: {seen}", page.display());
            assert_eq!(seen["outside"], serde_json::json!([]), "the page asks for nothing");
            assert_eq!(seen["unnamed"], 0, "every picture has a name");
            // Of a chart's wide and narrow forms one is shown; the five pictures are the bridge, the pyramids, the
            // retention triangle, the migration and the calibration.
            let size = |chart: &&serde_json::Value| chart[0].as_u64().unwrap() > 200 && chart[1].as_u64().unwrap() > 80;
            assert_eq!(seen["charts"].as_array().unwrap().iter().filter(size).count(), 5, "{seen}");
            assert!(seen["folds"].as_u64().unwrap() >= 5, "the data of each picture stand in a fold: {seen}");
        }
    }
}

fn run(program: &str, args: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(args).arg(file).arg("-").output().expect("poppler-utils are needed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn info(args: &[&str], file: &Path) -> String {
    let output = Command::new("pdfinfo").args(args).arg(file).output().expect("poppler-utils are needed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn pdf_pages_are_tagged_numbered_and_carry_their_fonts() {
    for (file, words) in
        editions("pdf").iter().zip([["Revenue", "Release"], ["收入", "关键客户"], ["營收", "關鍵客戶"]])
    {
        let about = info(&[], file);
        assert!(about.lines().any(|l| l.starts_with("Tagged:") && l.ends_with("yes")), "{about}");
        assert!(about.lines().any(|l| l.starts_with("Page size:") && l.contains("A4")), "{about}");
        assert!(about.lines().any(|l| l.starts_with("Title:") && l.len() > 20), "{about}");
        assert!(info(&["-meta"], file).contains("pdfuaid:part"), "PDF/UA is declared");
        let pages: usize = about.lines().find_map(|l| l.strip_prefix("Pages:")).unwrap().trim().parse().unwrap();
        assert!(pages >= 2, "{about}");
        let text = run("pdftotext", &["-layout"], file);
        for word in words {
            assert!(text.contains(word), "{} lacks {word}:\n{text}", file.display());
        }
        let pages_of_text: Vec<&str> = text.split('\u{c}').filter(|p| !p.trim().is_empty()).collect();
        assert_eq!(pages_of_text.len(), pages, "no page is empty");
        for (number, page) in pages_of_text.iter().enumerate() {
            let digits: String = page.chars().filter(|c| !c.is_whitespace()).collect();
            let (here, all) = (number + 1, pages);
            let forms = [
                format!("{here}of{all}"),
                format!("{here}/{all}"),
                format!("第{here}页，共{all}页"),
                format!("第{here}頁，共{all}頁"),
            ];
            assert!(forms.iter().any(|f| digits.contains(f.as_str())), "page {here} of {all} is not numbered:\n{page}");
        }
        let fonts = Command::new("pdffonts").arg(file).output().unwrap();
        let fonts = String::from_utf8_lossy(&fonts.stdout).into_owned();
        assert!(fonts.lines().skip(2).all(|l| l.contains(" yes ")), "every font is embedded:\n{fonts}");
    }
}

/// A mount namespace of its own in which there are no fonts; as another user than root in a user namespace.
#[test]
fn without_a_chinese_font_the_chinese_pdf_is_refused_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("small");
    crate::support::run(["demo".as_ref(), project.as_os_str(), "--customers".as_ref(), "120".as_ref()]).ended(0);
    std::fs::remove_dir_all(project.join("reports")).unwrap();
    let script = "for f in /usr/share/fonts /usr/local/share/fonts; do [ -d $f ] && mount -t tmpfs none $f; done; exec \"$0\" \"$@\"";
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script, env!("CARGO_BIN_EXE_perennial"), "run", "--project"])
        .arg(&project)
        .env("HOME", folder.path())
        .output()
        .expect("unshare (util-linux) is needed");
    let ran = crate::support::Ran::from(output).ended(2);
    for words in ["zh-CN.pdf", "zh-TW.pdf", "fonts-noto-cjk"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    let pages = project.join("reports/management-review/2026-09");
    for (page, made) in
        [("en.html", true), ("en.pdf", true), ("zh-CN.html", true), ("zh-CN.pdf", false), ("zh-TW.pdf", false)]
    {
        assert_eq!(pages.join(page).exists(), made, "{page}");
    }
    assert!(project.join("reports/index.html").exists());
}

#[test]
fn the_index_lists_every_edition() {
    let index = std::fs::read_to_string(demo().join("reports/index.html")).unwrap();
    for link in ["management-review/2026-09/en.html", "management-review/2026-09/zh-CN.pdf"] {
        assert!(index.contains(link), "{link}");
    }
}

#[test]
fn five_mistakes_of_a_report_are_five_problems() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("perennial.yml", "name: Five\nlake: lake\nas_of: 2026-02-01\n");
    write("sql/marts/months.sql", "SELECT DATE '2026-01-01' AS month, 10 AS orders\n");
    write("report-templates/five/queries/months.sql", "SELECT month, orders FROM marts.months\n");
    write("report-templates/five/queries/other.sql", "SELECT month, ordrs FROM marts.months\n");
    let template = "---\ntitle: Five\nlanguages: [en]\n---\n{{ colums(months, x='month', y='orders') }}\n\
                    {{ columns(months, x='mont', y='orders', format='integr') }}\n{{ t('nothing_such') }}\n{{ other | length }}\n";
    write("report-templates/five/report.md", template);
    let ran = perennial(["check".as_ref(), "--project".as_ref(), folder.path().as_os_str()]).ended(2);
    assert_eq!(ran.stderr.matches("error: ").count(), 5, "{}", ran.stderr);
    for place in ["report.md:5:4", "report.md:6:23", "report.md:6:50", "report.md:7:7", "other.sql:1:15"] {
        assert!(ran.stderr.contains(place), "{place} is not in\n{}", ran.stderr);
    }
}
