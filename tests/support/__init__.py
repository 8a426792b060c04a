"""What several tests share: small projects, a process that runs stages, kills."""
