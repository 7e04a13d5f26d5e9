//! Whether bytes look like the East Asian encoding that a contract declares: nearly any bytes are valid in it, so that
//! text in UTF-8 or in a Western encoding would be read as other letters without a word.
//!
//! It is collected while bytes pass; of ASCII, only the letters around other characters are looked at.

use super::encoding;
use encoding_rs::Encoding;
use perennial_core::contract::TextEncoding;
use std::collections::BTreeSet;

/// Different characters of three bytes after which text that is valid UTF-8 cannot be anything else. In GB18030 and Big5
/// such bytes are rare characters that do not end where the text ends.
const WIDE: usize = 2;
/// The same of Latin letters, each with the ASCII letter beside it: in East Asian text few characters stand there.
const LATIN: usize = 4;
/// The same of any characters; about a quarter of the characters of Chinese text are valid UTF-8 one by one.
const ANY: usize = 12;
/// Longer runs without ASCII are looked at in pieces.
const MAX_RUN_BYTES: usize = 4096;

/// What bytes have shown so far.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// Bytes above ASCII that are not looked at yet.
    run: Vec<u8>,
    /// The ASCII byte before them; 0 where there is none, or where it ends a character.
    before: u8,
    /// A character that ends in an ASCII letter, and waits for the byte after it.
    waiting: Option<Vec<u8>>,
    /// Characters of two bytes.
    pub(crate) pairs: u64,
    /// Those whose second byte is ASCII.
    pub(crate) low: u64,
    /// Those that look like an accented letter in a word of a Western encoding, and the first of them.
    western: u64,
    western_example: Vec<u8>,
    utf8: Utf8,
}

/// Whether all is UTF-8 as well.
#[derive(Debug, Default)]
struct Utf8 {
    refuted: bool,
    any: BTreeSet<char>,
    wide: BTreeSet<char>,
    latin: BTreeSet<(u8, char, u8)>,
    /// The beginning of a character, at the end of a piece of a long run.
    cut: Vec<u8>,
}

impl Evidence {
    /// Looks at the next bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.run.is_empty() && self.waiting.is_none() && self.utf8.cut.is_empty() {
                let ascii = Encoding::ascii_valid_up_to(&bytes[at..]);
                if ascii > 0 {
                    at += ascii;
                    self.before = bytes[at - 1];
                    continue;
                }
            }
            self.byte(*byte);
            at += 1;
        }
    }

    /// Looks at what is left at the end of the text.
    pub(crate) fn end(&mut self) {
        self.byte(b'\n');
    }

    fn byte(&mut self, byte: u8) {
        if let Some(mut example) = self.waiting.take()
            && byte.is_ascii_alphabetic()
        {
            example.push(byte);
            self.western(example);
        }
        if !byte.is_ascii() {
            self.run.push(byte);
            if self.run.len() >= MAX_RUN_BYTES {
                self.end_piece();
            }
        } else if self.run.is_empty() && self.utf8.cut.is_empty() {
            self.before = byte;
        } else {
            self.end_run(byte);
        }
    }

    /// The run ends before this ASCII byte, which may be a part of its last character.
    fn end_run(&mut self, after: u8) {
        let run = std::mem::take(&mut self.run);
        let mut whole = std::mem::take(&mut self.utf8.cut);
        whole.extend_from_slice(&run);
        self.utf8.take(&whole, self.before, after);
        self.pairs += run.len() as u64 / 2;
        let before = std::mem::replace(&mut self.before, after);
        if let [.., last] = run[..]
            && run.len() % 2 == 1
            // A digit belongs to a character of four bytes.
            && !after.is_ascii_digit()
        {
            self.pairs += 1;
            let is_after_letter = run.len() == 1 && before.is_ascii_alphabetic();
            let start = if is_after_letter { vec![before, last, after] } else { vec![last, after] };
            match after {
                0x40..=0x7e => {
                    self.low += 1;
                    self.before = 0;
                    match (after.is_ascii_alphabetic(), is_after_letter) {
                        (true, true) => self.western(start),
                        (true, false) => self.waiting = Some(start),
                        _ => {}
                    }
                }
                // No character ends so, in none of these encodings.
                _ => self.western(start),
            }
        }
        self.run = run;
        self.run.clear();
    }

    /// A long run is looked at in pieces, each without the character that its end may cut.
    fn end_piece(&mut self) {
        self.utf8.cut.append(&mut self.run.clone());
        let valid = match std::str::from_utf8(&self.utf8.cut) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.utf8.cut.len(),
        };
        let rest = self.utf8.cut.split_off(valid);
        let piece = std::mem::replace(&mut self.utf8.cut, rest);
        self.utf8.take(&piece, self.before, 0);
        self.pairs += self.run.len() as u64 / 2;
        self.run.clear();
        self.before = 0;
    }

    fn western(&mut self, example: Vec<u8>) {
        self.western += 1;
        if self.western_example.is_empty() {
            self.western_example = example;
        }
    }

    /// Whether most characters beyond ASCII stand in words of ASCII letters, as the accented letters of Western encodings
    /// do.
    pub(crate) fn looks_western(&self) -> bool {
        self.western * 2 > self.pairs
    }

    /// Whether all bytes so far are UTF-8 and cannot be what is declared.
    pub(crate) fn is_utf8(&self) -> bool {
        let Utf8 { refuted, any, wide, latin, .. } = &self.utf8;
        !refuted && (wide.len() >= WIDE || latin.len() >= LATIN || any.len() >= ANY)
    }

    /// After the end: a note when the text may be in another encoding than the declared one.
    pub(crate) fn remark(&self, file: &str, declared: TextEncoding) -> Option<String> {
        let name = encoding::name(declared);
        // Some Chinese words are valid UTF-8, but of letters that do not stand where these would.
        let has_any = !self.utf8.wide.is_empty() || !self.utf8.latin.is_empty();
        if has_any && !self.utf8.refuted {
            let shown: String = self.utf8.any.iter().take(3).collect();
            return Some(format!(
                "`{file}` is read as {name}, but is valid utf-8 as well, with characters such as `{shown}`; check `encoding`"
            ));
        }
        if !self.looks_western() {
            return None;
        }
        let (count, pairs) = (self.western, self.pairs);
        let read = encoding::decode(&self.western_example, declared);
        let such = read.map_or(String::new(), |read| format!(", such as `{}`", read.trim_end()));
        Some(format!(
            "`{file}` is read as {name}, but {count} of {pairs} characters beyond ASCII stand in words of ASCII letters{such}; \
             is it in windows-1252, which has to be exported as utf-8?"
        ))
    }
}

impl Utf8 {
    /// Looks at bytes beyond ASCII and the ASCII around them.
    fn take(&mut self, run: &[u8], before: u8, after: u8) {
        if self.refuted {
            return;
        }
        let Ok(text) = std::str::from_utf8(run) else {
            self.refuted = true;
            return;
        };
        let last = text.chars().count().saturating_sub(1);
        for (at, letter) in text.chars().enumerate() {
            if self.any.len() < ANY {
                self.any.insert(letter);
            }
            if letter.len_utf8() >= 3 && self.wide.len() < WIDE {
                self.wide.insert(letter);
            }
            let beside = |is_beside: bool, byte: u8| if is_beside && byte.is_ascii_alphabetic() { byte } else { 0 };
            let (left, right) = (beside(at == 0, before), beside(at == last, after));
            if ('\u{c0}'..='\u{24f}').contains(&letter) && (left, right) != (0, 0) && self.latin.len() < LATIN {
                self.latin.insert((left, letter, right));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same in one piece and byte by byte.
    fn evidence(bytes: &[u8]) -> Evidence {
        let (mut whole, mut cut) = (Evidence::default(), Evidence::default());
        whole.take(bytes);
        bytes.chunks(1).for_each(|byte| cut.take(byte));
        whole.end();
        cut.end();
        assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
        whole
    }

    fn encoded(text: &str, encoding: &'static Encoding) -> Evidence {
        evidence(&encoding.encode(text).0)
    }

    #[test]
    fn utf8_is_told_from_the_encodings_that_would_take_it() {
        for text in ["1,黄娜\n", "Müller\nKäthe\nSöhne\nGröße\n", "Привет, мир: Москва и ещё", "ab名前"]
        {
            assert!(evidence(text.as_bytes()).is_utf8(), "{text}");
        }
        // Too little to be certain, so that it is a note.
        let short = evidence("Müller,Müller\n".as_bytes());
        assert!(!short.is_utf8());
        let note = short.remark("a.csv", TextEncoding::Gb18030).unwrap();
        assert!(
            note.starts_with("`a.csv` is read as gb18030, but is valid utf-8 as well, with characters such as `ü`")
        );
        assert!(evidence(b"only ASCII, 1;2\n").remark("a.csv", TextEncoding::Big5).is_none());
    }

    #[test]
    fn real_text_in_its_own_encoding_is_not_suspicious() {
        // 眉, 没 and 猫 in GB18030 are ü, û and è in UTF-8, and 未知 is δ and a Hebrew vowel.
        for text in [
            "眉,没,猫\n王芳在上海,5\n",
            "眉,没,猫",
            "1,未知\n2,停止\n",
            "T恤,女,USB线\n",
            "朱镕基,陶喆\n",
            "A座,3楼B室",
        ] {
            let found = encoded(text, encoding_rs::GB18030);
            assert!(!found.is_utf8() && found.remark("a", TextEncoding::Gb18030).is_none(), "{text}: {found:?}");
        }
        for text in ["陳先生在台北,5\n林小姐在高雄\n", "LINE官方帳號,iPhone手機,USB線\n"] {
            let found = encoded(text, encoding_rs::BIG5);
            assert!(!found.is_utf8() && found.remark("a", TextEncoding::Big5).is_none(), "{text}: {found:?}");
        }
    }

    #[test]
    fn western_letters_are_told_by_the_words_they_stand_in() {
        for (text, such) in [
            ("Müller\nKöln\n", "`M黮`"),
            ("id,name\n1,Änne\n2,Smith\n", "`瓏n`"),
            ("Ångström\n", ""),
            ("Citroën", "`o雗`"),
        ] {
            let found = encoded(text, encoding_rs::WINDOWS_1252);
            assert!(found.looks_western() && !found.is_utf8(), "{text}");
            let encoding = if such.contains('瓏') { TextEncoding::Big5 } else { TextEncoding::Gb18030 };
            let note = found.remark("a", encoding).unwrap();
            assert!(note.contains("windows-1252"), "{note}");
            assert!(note.contains(such), "{note}");
        }
        assert!(encoded("José,André\n", encoding_rs::WINDOWS_1252).looks_western());
    }

    #[test]
    fn long_runs_are_looked_at_in_pieces() {
        let text = "的".repeat(3001) + "是";
        assert!(evidence(text.as_bytes()).is_utf8());
        let chinese = encoded(&text, encoding_rs::GB18030);
        assert_eq!((chinese.pairs, chinese.low, chinese.is_utf8()), (3002, 0, false));
    }
}
