"""What fills the screen under one number key."""
