SELECT name FROM users WHERE removed = NULL
