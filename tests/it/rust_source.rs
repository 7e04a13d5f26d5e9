//! The project's own texts: its files, and the string literals of its Rust sources.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder of the repository with one of these endings, in the order of their names.
pub fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(folder), endings, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            // What runs of this repository's own project leave, as opposed to packages of these names.
            let is_output = matches!(name.as_str(), "lake" | "reports") && !path.join("Cargo.toml").exists();
            if !is_output && name != "target" && !name.starts_with('.') {
                collect(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
}

/// The path below the repository's root, with `/`.
pub fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The sources of the program, without tests.
pub fn product_sources() -> Vec<PathBuf> {
    let mut found = files("src", &[".rs"]);
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let package = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !matches!(package.as_str(), "testing" | "workspace-hack") {
            found.extend(files(&format!("crates/{package}/src"), &[".rs"]));
        }
    }
    found.retain(|path| {
        let path = relative(path);
        !path.contains("/tests/") && !path.ends_with("tests.rs") && !path.ends_with("testing.rs")
    });
    found.sort();
    found
}

/// A piece of Rust source that is not a comment or white space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name, keyword or number.
    Word(String),
    /// A string literal, with its escapes resolved.
    Text(String),
    /// Any other character; also for character literals and byte strings, whose text is of no interest.
    Sign(char),
}

/// The tokens of a Rust source, each with its line, up to its unit tests.
pub fn tokens(source: &str) -> Vec<(usize, Token)> {
    let product = source.find("#[cfg(test)]\nmod tests {").map_or(source, |end| &source[..end]);
    let characters: Vec<char> = product.chars().collect();
    let mut lexer = Lexer { characters: &characters, at: 0, line: 1 };
    let mut found = Vec::new();
    while lexer.at < characters.len() {
        let line = lexer.line;
        if let Some(token) = lexer.next() {
            found.push((line, token));
        }
    }
    found
}

struct Lexer<'a> {
    characters: &'a [char],
    at: usize,
    line: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.characters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn take(&mut self) -> char {
        let character = self.peek(0);
        self.at += 1;
        self.line += usize::from(character == '\n');
        character
    }

    fn next(&mut self) -> Option<Token> {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => {
                while !matches!(self.peek(0), '\n' | '\0') {
                    self.take();
                }
                None
            }
            ('/', '*') => {
                self.block_comment();
                None
            }
            ('"', _) => Some(Token::Text(self.text())),
            ('\'', _) => Some(self.character_or_lifetime()),
            (c, _) if c.is_whitespace() => {
                self.take();
                None
            }
            (c, _) if c.is_alphanumeric() || c == '_' => Some(self.word()),
            _ => Some(Token::Sign(self.take())),
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                ('\0', _) => return,
                _ => {
                    self.take();
                    continue;
                }
            }
            self.take();
            self.take();
            if depth == 0 {
                return;
            }
        }
    }

    /// A word, or a literal with a prefix: `r"..."`, `r#"..."#`, `b"..."`, `br"..."`, `b'x'`.
    fn word(&mut self) -> Token {
        let mut word = String::new();
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            word.push(self.take());
        }
        let hashes = (0..).take_while(|i| self.peek(*i) == '#').count();
        let bytes = word.starts_with('b');
        if matches!(word.as_str(), "r" | "br") && self.peek(hashes) == '"' {
            let text = self.raw_text(hashes);
            return if bytes { Token::Sign('b') } else { Token::Text(text) };
        }
        if word == "b" && self.peek(0) == '"' {
            self.text();
            return Token::Sign('b');
        }
        if word == "b" && self.peek(0) == '\'' {
            return self.character_or_lifetime();
        }
        Token::Word(word)
    }

    fn raw_text(&mut self, hashes: usize) -> String {
        for _ in 0..=hashes {
            self.take();
        }
        let mut text = String::new();
        while self.peek(0) != '\0' {
            if self.peek(0) == '"' && (1..=hashes).all(|i| self.peek(i) == '#') {
                break;
            }
            text.push(self.take());
        }
        for _ in 0..=hashes {
            self.take();
        }
        text
    }

    fn text(&mut self) -> String {
        self.take();
        let mut text = String::new();
        while !matches!(self.peek(0), '"' | '\0') {
            match self.take() {
                '\\' => self.escape(&mut text),
                character => text.push(character),
            }
        }
        self.take();
        text
    }

    fn escape(&mut self, text: &mut String) {
        match self.take() {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            '0' => text.push('\0'),
            'x' => {
                let code: String = [self.take(), self.take()].iter().collect();
                text.push(char::from(u8::from_str_radix(&code, 16).unwrap()));
            }
            'u' => {
                self.take();
                let mut code = String::new();
                while self.peek(0) != '}' {
                    code.push(self.take());
                }
                self.take();
                text.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
            }
            '\n' => {
                while self.peek(0).is_whitespace() {
                    self.take();
                }
            }
            other => text.push(other),
        }
    }

    fn character_or_lifetime(&mut self) -> Token {
        self.take();
        if self.peek(0) == '\\' {
            self.take();
            self.take();
            while self.peek(0) != '\'' {
                self.take();
            }
            self.take();
        } else if self.peek(1) == '\'' {
            self.take();
            self.take();
        }
        Token::Sign('\'')
    }
}

#[test]
fn literals_are_read_as_rust_reads_them() {
    let source = "// \"no\"\nlet a = \"one \\\"two\\\" \\u{41}\\\n    three\"; /* \"no /* \"no\" */ \" */\n\
                  let b = r#\"raw \"quoted\"\"#; let c = b\"no\"; let d: &'static str = \"\\n\"; let e = ['\"', '\\'', b'\"'];\n\
                  f(\"last\")\n#[cfg(test)]\nmod tests { \"no\" }";
    let texts: Vec<(usize, String)> = tokens(source)
        .into_iter()
        .filter_map(|(line, token)| if let Token::Text(text) = token { Some((line, text)) } else { None })
        .collect();
    let expected = [(2, "one \"two\" Athree"), (4, "raw \"quoted\""), (4, "\n"), (5, "last")];
    assert_eq!(texts, expected.map(|(line, text)| (line, text.to_string())));
}
