-- Removes these, with all that leads to them; how many were there.
local remove = ({ session = remove_session, link = cut, family = remove_family })[ARGV[3]]
local count = 0
for n = 4, #ARGV do
  if remove(ARGV[n]) then count = count + 1 end
end
return count
