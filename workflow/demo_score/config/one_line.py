"""What Hydra, OmegaConf and YAML say, in one line."""


def one_line(error: Exception) -> str:
    """The message of an error, without the stack of places that were looked at, and what is not to be had here."""
    text = str(error).partition("\nConfig search path")[0].partition("\n3. To sweep over it")[0]
    line = " ".join(filter(None, map(str.strip, text.splitlines())))
    if line.startswith("Error merging override") and error.__cause__:
        return f"{line}: {str(error.__cause__).splitlines()[0]}"
    if line.startswith("Config group override"):
        return f"{line}: env, policy and experiment take names, such as env=pusht"
    if line == "Recursive interpolation detected":
        return "settings: values ${KEY} refer to one another in a circle; write one of them out"
    return line
