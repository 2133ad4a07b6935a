"""What is kept of offers, issued credentials, their statuses and showings."""
