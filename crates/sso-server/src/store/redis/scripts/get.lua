-- Store::get.
return answer('found', ARGV[3])
