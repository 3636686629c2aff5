//! Text for a POSIX shell.

/// `text` as one shell word: in single quotation marks, so that nothing in it is special.
///
/// A NUL cannot stand in any argument or variable; it must not be in `text`.
pub(crate) fn quote(text: &str) -> String {
    // A single quotation mark cannot be escaped inside single ones: close, escape, open again.
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `text` as one shell word, quoted only where that is needed: for showing to people.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quote(text) }
}

/// `export NAME='value'`, ready to be sourced.
pub(crate) fn export_line(name: &str, value: &str) -> String {
    format!("export {name}={}", quote(value))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// The shell's own idea of what was exported.
    fn through_sh(value: &str) -> String {
        let script = format!("{}\nprintf '%s.' \"$NAME\"", export_line("NAME", value));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.strip_suffix('.').unwrap().to_owned()
    }

    #[test]
    fn awkward_values_come_through() {
        let values = [
            "",
            "plain",
            "it's",
            "''",
            "$(echo no) `echo no` $HOME \\ \" ; & | > < * ? [a] {b} ~ # !",
            "two\nlines\n",
            "é€ \t",
            "HostName=h;SharedAccessKey=a+b/c==",
        ];
        for value in values {
            assert_eq!(through_sh(value), value);
        }
    }

    #[test]
    fn words_are_quoted_only_when_needed() {
        assert_eq!(word("target/hub-1.d"), "target/hub-1.d");
        assert_eq!(word("my hub"), "'my hub'");
        assert_eq!(word(""), "''");
        assert_eq!(word("~"), "'~'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Every text without NUL comes through.
        #[test]
        fn any_value_comes_through(value in "[^\0]{0,40}") {
            prop_assert_eq!(through_sh(&value), value);
        }
    }
}
