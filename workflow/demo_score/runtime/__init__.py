"""What every command needs, and knows no robots: errors, files, memory, hardware, progress, stopping and going on."""
