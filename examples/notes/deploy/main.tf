# The bucket that keeps pictures of linked pages, and who may reach the server.

resource "aws_s3_bucket" "pictures" {
  bucket = "notes-pictures"
}

resource "aws_s3_bucket_acl" "pictures" {
  bucket = aws_s3_bucket.pictures.id
  acl    = "public-read-write"
}

resource "aws_security_group" "web" {
  name        = "notes-web"
  description = "Who may reach the notes server"

  ingress {
    description = "Maintenance"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
