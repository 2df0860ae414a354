#pragma once

// A chat template as a tree, made by parse_template() and walked by the evaluator.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/chat/template_value.h"

namespace elastic::engine {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

enum class ExpressionKind {
  kLiteral,    // value
  kName,       // name
  kList,       // children
  kMap,        // children: key, value, key, value ...
  kAttribute,  // children[0].name
  kSubscript,  // children[0][children[1]]
  kSlice,      // children[0][children[1]:children[2]:children[3]], absent ones null
  kCall,       // children[0](arguments)
  kFilter,     // children[0] | name(arguments)
  kTest,       // children[0] is name(arguments)
  kUnary,      // name children[0]
  kBinary,     // children[0] name children[1]
  kCondition,  // children[0] if children[1] else children[2] (null: undefined)
};

struct Expression {
  ExpressionKind kind = ExpressionKind::kLiteral;
  int line = 0;
  int height = 0;  // of the tree below; bounded, since evaluation and destructors recurse
  std::string name;
  Value value;
  std::vector<ExpressionPtr> children;
  std::vector<std::pair<std::string, ExpressionPtr>> arguments;  // a positional one has no name
};

struct Statement;
using Body = std::vector<Statement>;

enum class StatementKind { kText, kOutput, kIf, kFor, kSet, kSetBlock, kMacro, kBreak, kContinue };

struct Statement {
  StatementKind kind = StatementKind::kText;
  int line = 0;
  std::string text;                   // kText
  std::vector<std::string> names;     // targets of kFor and kSet; a macro's name and parameters
  std::string attribute;              // kSet: of a namespace
  std::vector<ExpressionPtr> values;  // kOutput; kFor: what, condition; kSet; kMacro: defaults
  // kIf: (condition, body) in order, a null condition is `else`. kFor: body, else body.
  std::vector<std::pair<ExpressionPtr, Body>> branches;
};

/// Throws kCorrupt for syntax, kUnsupported for constructs outside the subset, both naming `name`,
/// line and construct.
Body parse_template(std::string_view source, std::string_view name);

}  // namespace elastic::engine
