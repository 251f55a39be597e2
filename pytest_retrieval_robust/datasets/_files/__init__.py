"""What readers of files share: tables, archives, captions, texts, relevance and labels."""
