# SPDX-License-Identifier: Apache-2.0
# Recursion, sort with callbacks, substitutions that call, exceptions, for ever.
use strict;
use warnings;

sub replaced {
	my ($x, $y) = @_;
	return lc("$y-$x");
}

sub deep {
	my ($n, $h) = @_;
	$h->{$n} = [map { { k => $_, v => 'x' x $_ } } 1 .. 20];
	my @sorted = sort { length($a->{v}) <=> length($b->{v}) || $b->{k} <=> $a->{k} } @{ $h->{$n} };
	my $text = join ',', map { $_->{v} } @sorted;
	$text =~ s/(x+),(x+)/replaced($1, $2)/ge;
	eval { die { code => $n } };
	return $n ? deep($n - 1, $h) : sprintf('%s', $text);
}

while (1) {
	my %h;
	deep(15, \%h);
	my @numbers = sort { $a <=> $b } map { rand } 1 .. 100;
}
