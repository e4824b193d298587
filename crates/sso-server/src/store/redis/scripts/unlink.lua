-- Store::unlink of these links, from whatever session.
local count = 0
for n = 3, #ARGV do
  if cut(ARGV[n]) then count = count + 1 end
end
return { tostring(count) }
