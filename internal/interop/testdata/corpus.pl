# Reads names of messages, one a line, and prints for each a line of JSON: what
# MIME::Tools finds in it. See corpus_parse_test.go for the form.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Encode ();
use JSON::PP;
use MIME::Parser;
use MIME::Words;

my $json = JSON::PP->new->ascii;

# known is text in UTF-8, else in windows-1252.
sub known {
	my ($octets) = @_;
	return $octets if $octets =~ /[^\x00-\xff]/; # it was decoded
	my $copy = $octets;
	my $text = eval { Encode::decode('UTF-8', $copy, Encode::FB_CROAK) };
	return defined $text ? $text : Encode::decode('cp1252', $octets);
}

# words decodes encoded words; what is beside them is as it is in the message.
sub words {
	my ($octets) = @_;
	return $octets if $octets =~ /[^\x00-\xff]/;
	return join '', map {
		my ($part, $charset) = @$_;
		my $known = $charset && Encode::find_encoding($charset);
		$known ? $known->decode($part) : known($part);
	} MIME::Words::decode_mimewords($octets);
}

sub walk {
	my ($part, $found) = @_;
	my $type = lc $part->mime_type;
	my %entry = (type => $type, name => words($part->head->recommended_filename // ''), sha256 => '', text => JSON::PP::false);
	push @{ $found->{parts} }, \%entry;
	if (my $body = $part->bodyhandle) {
		my $content = $body->as_string;
		if ($type =~ m{^text/}) {
			$entry{text} = JSON::PP::true;
			$content =~ s/\r\n/\n/g;
			$content =~ s/\n+\z//;
		}
		$entry{sha256} = sha256_hex($content);
	}
	walk($_, $found) for $part->parts;
}

sub parse {
	my ($name) = @_;
	my $parser = MIME::Parser->new;
	$parser->output_to_core(1);
	$parser->tmp_to_core(1);
	my $message = $parser->parse_open($name);
	my %found = (fields => [], parts => []);
	for my $field (qw(subject from to cc)) {
		for my $value ($message->head->get($field)) {
			$value =~ s/\r?\n//g;
			push @{ $found{fields} }, [ $field, words($value) ];
		}
	}
	walk($message, \%found);
	return \%found;
}

while (my $name = <STDIN>) {
	chomp $name;
	my $result = eval { parse($name) } // { error => "$@" };
	print $json->encode($result), "\n";
}
