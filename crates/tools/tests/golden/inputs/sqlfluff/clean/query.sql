SELECT name FROM users WHERE removed IS NULL
