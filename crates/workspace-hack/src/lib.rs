//! Nothing: the package only asks for features (`scripts/workspace-hack`).
