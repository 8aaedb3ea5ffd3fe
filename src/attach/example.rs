#![doc = include_str!("../manual/protocol.md")]

#[cfg(test)]
mod tests {
    /// The page tells where to put a line: below one that is there.
    #[test]
    fn the_page_knows_the_registry() {
        let page = include_str!("../manual/protocol.md");
        let registry = include_str!("registry.rs");
        let shown = page.lines().find(|line| line.ends_with("::Mysql: 3306;"));
        assert!(shown.is_some_and(|line| registry.contains(&format!("    {line}\n"))), "{shown:?}");
    }
}
