"""The arena's analysis: methods beside one another, each judged by the policies that it makes."""
