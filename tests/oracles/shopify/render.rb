# ruby render.rb SNIPPETS < cases: what Shopify's own engine makes of each case's template, strictly read.

require 'json'
require 'digest'
require 'liquid'

class Folder
  def initialize(path) = @path = path
  def read_template_file(name) = File.read(File.join(@path, "#{name}.liquid"), encoding: 'UTF-8')
end

# A page shows nothing of it.
class Schema < Liquid::Raw
  def render_to_output_buffer(_, output) = output
end

class Layout < Liquid::Tag; end

# The filters of a storefront that the gem has not, as Shopify documents them.
module Storefront
  def sha256(text) = Digest::SHA256.hexdigest(text.to_s)
  def image_url(image, options = {}) = "#{image['src']}?width=#{options['width']}"
  def money(cents) = format('€%.2f', cents / 100.0)
end

Liquid::Template.register_tag('schema', Schema)
Liquid::Template.register_tag('layout', Layout)
Liquid::Template.register_filter(Storefront)
Liquid::Template.file_system = Folder.new(ARGV[0])

said = JSON.parse($stdin.read.force_encoding('UTF-8')).map do |one|
  template = Liquid::Template.parse(one['template'], error_mode: :strict)
  template.render!(one['given'], strict_filters: true)
end
puts JSON.generate(said)
