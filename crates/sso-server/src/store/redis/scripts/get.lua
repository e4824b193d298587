-- Store::get.
return answer(ARGV[3])
