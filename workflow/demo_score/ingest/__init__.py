"""Data that others recorded: inspected, checked, labelled, converted, listed, and kept in the forms of their tools."""
